"""Random literals, as rules write them. The values that consumers have are drawn beside them."""

from decimal import Decimal
from random import Random

from segment_engine.testing.drawing import chance
from segment_engine.values.moments import UNITS
from segment_engine.values.numbers import plain
from segment_engine.values.paths import quote

Number = int | Decimal

WORDS = (
    *("a", "vip", "US", "ada@example.com", "@example.com", "Ada", "é", "e\u0301", "ß", "SS", "ss"),
    *(
        "İ",
        "i̇",
        "I",
        "ı",
        "ΣΑΣ",
        "σας",
        "σασ",
        "ς",
        "K",
        "ſ",
        "ΟΔΥΣΣΕΥΣ",
        "Οδυσσευς",
        "ǅ",
        "🙂",
        "a\nb",
        "\t",
        "'",
        '"',
    ),
    *("%", "_", "\\", "100%", "a_c", "12", "-1.50", "2026-07-01", "2024-02-29T10:00:00Z"),
    *(" ", "a ", "true", "null", "Ꟁ", "\ufeff", "\u200d", "ﬁ", "𝒳", "Ж", "x@y@İ.org"),
)
WILD = ("%", "_", "\\", "'", ".*") * 5
EDGES = (
    *(0, 1, 2, 3, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, 2**31 - 1, 2**31, -(2**31)),
    *(2**24 + 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1),
    *(2**64 - 1, 2**64, 10**18, 10**37, 10**38 - 1),
)
FRACTIONS = tuple(
    Decimal(spelt)
    for spelt in (
        *("0.1", "0.5", "2.5", "-0.5", "19.99", "0.01", "500.00", "0.005", "3.0"),
        *("99.999999999", "1e-20", "9007199254740991.99", "123456789012345.67"),
        *("-987654321098765.43", "90071992547409.93"),
    )
)
PIECES = (
    *(
        "a",
        "b",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        r"\S",
        r"\b",
        "[a-z]",
        "[^a@]",
        "[0-9_]",
        "é",
        "ß",
    ),
    *(r"\.", "@", r"\\", "^", "$", "(a|b)", "(?:vip|U)", "[İıſ]", "🙂", r"\n", "[à-ÿ]", r"\D", "-"),
)
REPEATS = ("", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}?", "*?", "+?")
YEARS = ("2024", "2025", "2026", "1969", "1970", "2000", "2100")
MONTHS = ("2024-02", "2025-12", "2026-01", "2026-03", "2026-07", "1969-12", "2000-02")
DATES = (
    *("2026-07-01", "2026-06-30", "2024-02-29", "2023-02-28", "2026-01-31", "2025-12-31"),
    *("2024-03-10", "2024-11-03", "2026-03-29", "1969-12-31", "1970-01-01", "2018-11-04"),
    *("2037-12-31", "2038-01-19", "2050-06-15", "1900-02-28", "0001-01-03", "9999-12-29"),
)
CLOCKS = ("00:00", "00:00:00", "02:30:00", "01:30:00", "23:59:59.999999", "12:00", "10:00:00.5")
OFFSETS = ("", "Z", "Z", "+02:00", "-11:30", "+14:00", "-00:00")


def number(random: Random) -> Number:
    """Edges of storage, fractions, and small whole numbers."""
    way = random.randrange(3)
    if way == 0:
        return small(random)
    return random.choice(EDGES) if way == 1 else random.choice(FRACTIONS)


def small(random: Random) -> int:
    """A whole number such as people count."""
    return random.randrange(32)


def spell_number(value: Number) -> str:
    """The literal; bracketed where its sign could be taken for a subtraction."""
    return plain(value)


def money(random: Random) -> Number:
    """An amount, some of more digits than a double holds."""
    return random.choice(FRACTIONS) if chance(random, 0.7) else number(random)


def text(random: Random) -> str:
    """A text that is not empty."""
    if chance(random, 0.15):
        return plain(number(random))
    word = random.choice(WORDS)
    return word + random.choice([*WILD, *WORDS]) if chance(random, 0.3) else word


def maybe_empty(random: Random, filled: bool) -> str:
    """A text, now and then the empty one."""
    return "" if not filled and chance(random, 0.05) else text(random)


def spell_text(random: Random, value: str) -> str:
    """The literal in double or in single quotes."""
    double = quote(value)
    if "'" in value or '"' in value:
        return double
    return f"'{double[1:-1]}'" if chance(random, 0.2) else double


def pattern(random: Random) -> str:
    """A pattern of the subset, in quotes."""
    pieces = [_repeated(random) for _ in range(random.randint(1, 4))]
    joined = ("|" if chance(random, 0.2) else "").join(pieces)
    return f'"{joined}"'


def _repeated(random: Random) -> str:
    piece = random.choice(PIECES)
    return piece if piece in ("^", "$", r"\b") else piece + random.choice(REPEATS)


def time(random: Random, years: bool = False) -> str:
    """A time literal of any form; a year alone only where `years`."""
    return random.choice(_FORMS if years else _FORMS[:-1])(random)


def time_bounds(random: Random) -> list[str]:
    """Two time literals that are not reversed."""
    if chance(random, 0.5):
        return sorted(random.choice(DATES) for _ in range(2))
    first = random.choice(["2024-02-29", "1969-12-31T10:00:00Z", "10 years ago", "2024-02"])
    return [first, random.choice(["today", "now", "1 day from now", "next month", "this quarter"])]


def duration(random: Random) -> str:
    """A length of time that stays within the calendar."""
    count = random.choice([1, 2, 7, 30, 60, 90, 365])
    return f"{count} {random.choice(UNITS)}{'s' * (count != 1)}"


def _instant(random: Random) -> str:
    return f"{random.choice(DATES)}T{random.choice(CLOCKS)}{random.choice(OFFSETS)}"


def _shifted(random: Random) -> str:
    return f"{duration(random)} {random.choice(['ago', 'from now'])}"


def _period(random: Random) -> str:
    unit = random.choice(["week", "month", "quarter", "year"])
    return f"{random.choice(['this', 'last', 'next'])} {unit}"


_FORMS = (
    lambda random: random.choice(DATES),
    lambda random: random.choice(["today", "yesterday", "tomorrow", "now", "NOW"]),
    _instant,
    _shifted,
    _period,
    lambda random: random.choice(MONTHS),
    lambda random: random.choice(YEARS),
)
