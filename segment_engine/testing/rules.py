"""Random rules of a schema. Operators come from the table: a new row is written without ado."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import spell_field
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import of_shape
from segment_engine.testing import literals
from segment_engine.values.paths import Steps, quote, spell_name
from segment_engine.values.types import ANY, Type

PREDICATES = of_shape(
    Shape.COMPARE, Shape.INFIX, Shape.POSTFIX, Shape.LISTED, Shape.BETWEEN, Shape.LASTING
)
_LOGIC = {row.name: row.words for row in of_shape(Shape.LOGIC)}
_MAKERS = of_shape(Shape.FUNCTION, Shape.PREFIX, Shape.ARITHMETIC)
_SCALARS = ("text", "number", "boolean", "time")

KEYS: tuple[str | int, ...] = (
    *("tier", "city", "points", "tags", "items", "sku", "and", "0", 0, 1, 2, ""),
    *(
        "key with.dots",
        'a"b',
        "*",
        "/~",
        "it's",
        "\\",
        "ключ",
        "🙂",
        "%_",
        "\n",
        "Tier",
        "$",
        "[0]",
    ),
)


@dataclass(frozen=True, slots=True)
class Operand:
    """A value as text, with its type; `ANY` takes its type from the other side."""

    text: str
    type: Type


def random_rule(random: Random, schema: Schema, depth: int = 3) -> str:
    """The text of a rule that the schema accepts; `depth` is how deep logic may nest."""
    return _Writer(random, schema).truth(depth)


def random_path(random: Random) -> Steps:
    """One to three steps into an open field; a few of them come up again and again."""
    if random.random() < 0.6:
        return (random.choice(KEYS[:4]),)
    first = random.choice([key for key in KEYS if isinstance(key, str)])
    return (first, *(random.choice(KEYS) for _ in range(random.randrange(3))))


class _Writer:
    def __init__(self, random: Random, schema: Schema) -> None:
        self.random, self.schema = random, schema
        self.fields = [
            Operand(spell_field(spec.name, _root(spec.name) if spec.path else spec.name), spec.type)
            for spec in schema.specs.values()
            if not spec.open
        ]
        self.opened = [spec.name for spec in schema.specs.values() if spec.open]

    def chance(self, share: float) -> bool:
        """True that often; simplest is False."""
        return self.random.random() > 1 - share

    # ---- logic

    def truth(self, depth: int) -> str:
        """A rule or a part of one."""
        if depth <= 0 or self.chance(0.5):
            return self.leaf()
        word = self.random.choice(list(_LOGIC))
        spelt = self.cased(_LOGIC[word][0])
        if word == "not":
            return f"{spelt} {self.bracketed(depth - 1)}"
        parts = [self.bracketed(depth - 1) for _ in range(self.random.randint(2, 4))]
        return f" {spelt} ".join(parts)

    def bracketed(self, depth: int) -> str:
        """A part that stands under another operator."""
        return f"({self.truth(depth)})" if depth > 0 or self.chance(0.1) else self.leaf()

    def leaf(self) -> str:
        """One predicate, a boolean alone or a truth value."""
        if self.chance(0.03):
            return self.cased(self.random.choice(["true", "false"]))
        if self.chance(0.04) and (alone := self.known("boolean")):
            return alone.text
        return self.predicate()

    def cased(self, word: str) -> str:
        """A keyword in some letter case."""
        return self.random.choice([str.lower, str.lower, str.upper, str.title])(word)

    # ---- predicates

    def predicate(self) -> str:
        """A random row of the table on a value of a family that it takes."""
        row = self.random.choice(PREDICATES)
        families = list(self.families(row))
        if not families:
            return self.predicate()
        family = self.random.choice(families)
        left = self.value(family, 2)
        if left is None:
            return self.predicate()
        return self.written(row, family, left)

    def families(self, row: Operator) -> Iterator[str]:
        """The families of left values that the row takes."""
        for family in row.takes:
            yield from (*_SCALARS, "list") if family == "*" else (family,)

    def written(self, row: Operator, family: str, left: Operand) -> str:
        """The predicate of that row on that value."""
        words = self.random.choice([*row.words, *row.negated, *row.words])
        right_kind = row.takes.get(family) or next(iter(row.takes.values()))
        if right_kind is Right.NOTHING:
            return f"{left.text} {self.cased(words)}"
        rights, family = self.rights(row, family, left, right_kind)
        folds = row.folds and family == "text" and self.chance(0.3)
        end = " ignoring case" if folds else ""
        if row.shape is Shape.LISTED:
            return f"{left.text} {self.cased(words)} ({', '.join(r.text for r in rights)}){end}"
        if row.shape is Shape.BETWEEN:
            between = f" {self.cased('and')} ".join(r.text for r in rights)
            return f"{left.text} {self.cased(words)} {between}"
        if row.mirror and self.chance(0.1) and words == row.words[0]:
            return f"{rights[0].text} {words} {left.text}{end}"
        return f"{left.text} {self.cased(words)} {rights[0].text}{end}"

    def rights(
        self, row: Operator, family: str, left: Operand, kind: Right
    ) -> tuple[list[Operand], str]:
        """What stands at the right, and the family that all of it has ("" for a mixture)."""
        if family == "list":
            family = left.type.element.family if left.type.element else self.scalar()
        if row.shape is Shape.LISTED:
            return self.listed(family, left, kind)
        if row.shape is Shape.BETWEEN:
            return [Operand(text, ANY) for text in self.bounds(family)], family
        if kind is Right.SAME and self.chance(0.2):
            other = self.value(family, 1, typed=left.type is ANY)
            if other is not None:
                return [other], family
        return [Operand(self.literal(family, kind, years=row.years), ANY)], family

    def listed(self, family: str, left: Operand, kind: Right) -> tuple[list[Operand], str]:
        """A list of literals; of mixed types on an undeclared path."""
        families = [family] * self.random.randint(1, 7)
        if left.type is ANY and self.chance(0.4):
            families = [self.scalar() for _ in families]
        texts = [self.literal(each, kind) for each in families]
        return [Operand(text, ANY) for text in texts], families[0] if len(
            set(families)
        ) == 1 else ""

    def bounds(self, family: str) -> list[str]:
        """Two literals in order."""
        if family in ("time", "anniversary"):
            return literals.time_bounds(self.random)
        if family == "number":
            return [literals.spell_number(n) for n in sorted(
                literals.number(self.random) for _ in range(2))]  # fmt: skip
        return [quote(text) for text in sorted(literals.text(self.random) for _ in range(2))]

    def scalar(self) -> str:
        """A scalar family."""
        return self.random.choice(_SCALARS)

    def literal(self, family: str, kind: Right, years: bool = False) -> str:
        """A literal of the family, as the kind of right side wants it."""
        if kind is Right.DURATION:
            return literals.duration(self.random)
        if kind is Right.PATTERN:
            return literals.pattern(self.random)
        return _LITERALS[family](self.random, kind is not Right.SAME, years)

    # ---- values

    def value(self, family: str, depth: int, typed: bool = False) -> Operand | None:
        """A value of the family; `typed`: no undeclared path. None where there is none."""
        ways: list[Callable[[], Operand | None]] = [
            partial(self.known, family),
            partial(self.known, family),
            partial(self.made, family, depth),
            partial(self.path, family, typed),
        ]
        first = self.random.randrange(4)
        found = (way() for way in ways[first:] + ways[:first])
        return next((operand for operand in found if operand is not None), None)

    def known(self, family: str) -> Operand | None:
        """A declared field."""
        fitting = [field for field in self.fields if field.type.family == family]
        return self.random.choice(fitting) if fitting else None

    def path(self, family: str, typed: bool) -> Operand | None:
        """An undeclared path, or an open field itself."""
        if typed or not self.opened or family == "anniversary":
            return None
        root = self.random.choice(self.opened)
        steps = () if self.chance(0.05) else random_path(self.random)
        name = spell_name(root, steps)
        if name in self.schema.specs and steps:
            return None
        plain = spell_field(name, root)
        return Operand(self.respelt(root, steps) if self.chance(0.1) else plain, ANY)

    def respelt(self, root: str, steps: Steps) -> str:
        """The path with its root in backticks and every key in quotes."""
        return f"`{root}`" + "".join(
            f"[{quote(step) if isinstance(step, str) else step}]" for step in steps
        )

    def made(self, family: str, depth: int) -> Operand | None:
        """A value that a function or arithmetic gives."""
        rows = [row for row in _MAKERS if row.gives.family == family]
        if not rows or (depth <= 0 and family != "anniversary"):
            return None
        row = self.random.choice(rows)
        taken = self.random.choice([family for family in row.takes if family != "any"])
        inner = self.value(taken, depth - 1)
        if inner is None:
            return None
        return Operand(self.applied(row, taken, inner.text, depth), row.gives)

    def applied(self, row: Operator, taken: str, inner: str, depth: int) -> str:
        """The text of the function or arithmetic on `inner`."""
        if row.shape is Shape.FUNCTION:
            return f"{row.words[0]}({inner})"
        if row.shape is Shape.PREFIX:
            return f"{row.words[0]} {inner}"
        if row.takes[taken] is Right.NOTHING:
            return f"({row.words[0]}{inner})"
        other = self.value(taken, depth - 1) if self.chance(0.4) else None
        pair = [inner, other.text if other else literals.spell_number(literals.small(self.random))]
        self.random.shuffle(pair)
        return f"({f' {row.words[0]} '.join(pair)})"


def _root(name: str) -> str:
    return name.split(".")[0].split("[")[0]


_LITERALS: dict[str, Callable[[Random, bool, bool], str]] = {
    "text": lambda random, filled, years: literals.spell_text(
        random, literals.maybe_empty(random, filled)
    ),
    "number": lambda random, filled, years: literals.spell_number(literals.number(random)),
    "boolean": lambda random, filled, years: random.choice(["true", "false"]),
    "time": lambda random, filled, years: literals.time(random, years),
    "anniversary": lambda random, filled, years: literals.time(random, years),
}
