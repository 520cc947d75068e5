"""Every limit at its edge: what is just allowed, and what is refused with which words."""

import pytest

from segment_engine import Engine, RuleError, Schema

ENGINE = Engine(Schema({"n": "number", "m": "number", "t": "text", "metadata": "any"}))
NINES = "9" * 38
LIMITS = [
    (
        " or ".join(["n + m + 1 > 0"] * 1000),
        " or ".join(["n + m + 1 > 0"] * 1000 + ["n + m > 0"]),
        "a rule has at most 2,000 + - * /",
    ),
    (
        " or ".join(["n > 0"] * 2000),
        " or ".join(["n > 0"] * 2001),
        "a rule has at most 2,000 predicates",
    ),
    (
        f"n in ({', '.join(['1'] * 10_000)})",
        f"n in ({', '.join(['1'] * 10_001)})",
        "a list has at most 10,000 values",
    ),
    (
        f"{' + '.join(['n'] * 65)} > 1",
        f"{' + '.join(['n'] * 66)} > 1",
        "a value has at most 64 + - * /",
    ),
    (f"n > {NINES}", f"n > 1{NINES}", "the number has more than 38 digits"),
    (f"n > 0.{NINES}", f"n > 0.{NINES}9", "the number has more than 38 digits"),
    (f"n > 1.{NINES[1:]}", f"n > 1.{NINES}", "the number has more than 38 digits"),
    (
        "(" * 64 + "n > 1" + ")" * 64,
        "(" * 65 + "n > 1" + ")" * 65,
        "a rule is nested at most 64 deep",
    ),
    ("not " * 64 + "n > 1", "not " * 65 + "n > 1", "a rule is nested at most 64 deep"),
    (
        "not (" * 32 + "n > 1" + ")" * 32,
        "not (" * 33 + "n > 1" + ")" * 33,
        "a rule is nested at most 64 deep",
    ),
    (f"n > {'-' * 64}1", f"n > {'-' * 65}1", "a rule is nested at most 64 deep"),
    (
        f't = "{"x" * (64 * 1024 - 6)}"',
        f't = "{"x" * (64 * 1024 - 5)}"',
        "a rule has at most 64 KiB beside the values of its lists",
    ),
    (
        f't = "{"é" * (32 * 1024 - 3)}"',
        f't = "{"é" * (32 * 1024 - 3)}x"',
        "a rule has at most 64 KiB beside the values of its lists",
    ),
    (
        f't in ("a") or t = "{"x" * (64 * 1024 - 21)}"',
        f't in ("a") or t = "{"x" * (64 * 1024 - 10)}"',
        "a rule has at most 64 KiB beside the values of its lists",
    ),
    (
        f't in ("{"x" * (1024 * 1024 - 9)}")',
        f't in ("{"x" * (1024 * 1024 - 8)}")',
        "a rule has at most 1 MiB",
    ),
]


@pytest.mark.parametrize(("allowed", "refused", "told"), LIMITS, ids=lambda text: text[:30])
def test_limits(allowed: str, refused: str, told: str) -> None:
    ENGINE.rule(allowed)
    with pytest.raises(RuleError) as raised:
        ENGINE.rule(refused)
    assert [(item.code, item.message) for item in raised.value.diagnostics] in (
        [("limit", told)],
        [("number-range", told)],
    )


def test_brackets_close_what_they_opened() -> None:
    side_by_side = " and ".join(["(((((n > 1)))))"] * 40)
    assert ENGINE.rule(side_by_side)
    signs_apart = " and ".join(["n > ---1"] * 40)
    assert ENGINE.rule(signs_apart)
    chains_apart = " or ".join(["n + n + n > 1"] * 40)
    assert ENGINE.rule(chains_apart)
    lists = " or ".join(f"n in ({', '.join(['1'] * 600)})" for _ in range(20))
    assert ENGINE.rule(lists)
