"""Random rules of a schema. Operators come from the table: a new row is written without ado."""

from collections.abc import Callable, Collection
from functools import partial
from random import Random

from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import spell_field
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import operator
from segment_engine.testing import literals
from segment_engine.testing.drawing import chance, part
from segment_engine.testing.vocabulary import DEEPEST, SCALARS, Operand, Vocabulary
from segment_engine.values.paths import Steps, quote, spell_name
from segment_engine.values.types import ANY, CURRENCY

MOST_PREDICATES = 6
_NOT = operator("not")
_AMONG = {
    operator(name): among
    for name, among in (
        *(("year", range(2023, 2028)), ("quarter", range(1, 5)), ("month", range(1, 13))),
        *(("day", range(1, 32)), ("weekday", range(1, 8)), ("hour", range(24))),
    )
}
"""The numbers that calendar parts can be."""

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


def random_rule(
    random: Random,
    schema: Schema,
    max_predicates: int = MOST_PREDICATES,
    *,
    fields: Collection[str] | None = None,
    operators: Collection[str] | None = None,
) -> str:
    """The text of a rule that the schema accepts, as the strategy `rules` draws it."""
    return Writer(random, Vocabulary(schema, fields, operators)).truth(max_predicates)


def random_path(random: Random) -> Steps:
    """One to three steps into an open field; a few of them come up again and again."""
    if not chance(random, 0.4):
        return (random.choice(KEYS[:4]),)
    first = random.choice([key for key in KEYS if isinstance(key, str)])
    return (first, *(random.choice(KEYS) for _ in range(random.randrange(3))))


class Writer:
    """Writes rules of a vocabulary; the simplest is one predicate on the first field that fits."""

    def __init__(self, random: Random, vocabulary: Vocabulary) -> None:
        self.random, self.vocabulary = random, vocabulary
        self.joining = [row for row in vocabulary.logic if row is not _NOT]

    def chance(self, share: float) -> bool:
        """True that often; simplest is False."""
        return chance(self.random, share)

    # ---- logic

    def truth(self, most: int) -> str:
        """A rule or a part of one, of so many predicates at most."""
        return part(self.random, partial(self._truth, most))

    def _truth(self, most: int) -> str:
        if most > 1 and self.joining and self.chance(0.5):
            word = self.cased(self.random.choice(self.joining).words[0])
            count = self.random.randint(2, min(4, most))
            return f" {word} ".join(self.bracketed(most // count) for _ in range(count))
        if _NOT in self.vocabulary.logic and self.chance(0.15):
            return f"{self.cased(_NOT.words[0])} {self.bracketed(most - 1)}"
        return self.leaf()

    def bracketed(self, most: int) -> str:
        """A part that stands under another operator."""
        return f"({self.truth(most)})" if most > 1 or self.chance(0.1) else self.leaf()

    def leaf(self) -> str:
        """One predicate, a boolean alone or a truth value."""
        if self.vocabulary.free and self.chance(0.03):
            return self.cased(self.random.choice(["true", "false"]))
        if self.vocabulary.free and self.chance(0.04) and (alone := self.known("boolean")):
            return alone.text
        return self.predicate()

    def cased(self, word: str) -> str:
        """A keyword in some letter case."""
        return self.random.choice([str.lower, str.lower, str.upper, str.title])(word)

    # ---- predicates

    def predicate(self) -> str:
        """A random row of the table on a value of a family that it takes."""
        row = self.random.choice(list(self.vocabulary.predicates))
        family = self.random.choice(self.vocabulary.predicates[row])
        left = self.value(family, DEEPEST)
        assert left is not None, "a vocabulary holds only what there are values for"
        return self.written(row, family, left)

    def written(self, row: Operator, family: str, left: Operand) -> str:
        """The predicate of that row on that value."""
        words = self.random.choice([*row.words, *row.negated, *row.words])
        right_kind = row.takes.get(family) or next(iter(row.takes.values()))
        if right_kind is Right.NOTHING:
            return f"{left.text} {self.cased(words)}"
        rights, family = self.rights(row, family, left, right_kind)
        folds = row.folds and family == "text" and self.chance(0.5)
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
            return [Operand(text, ANY) for text in self.bounds(family, left)], family
        if kind is Right.SAME and self.chance(0.2):
            other = self.value(family, 1, typed=left.type is ANY)
            if other is not None:
                return [other], family
        return [Operand(self.literal(family, kind, left, row.years), ANY)], family

    def listed(self, family: str, left: Operand, kind: Right) -> tuple[list[Operand], str]:
        """A list of literals; of mixed types on an undeclared path."""
        families = [family] * self.random.randint(1, 7)
        if left.type is ANY and self.chance(0.4):
            families = [self.scalar() for _ in families]
        texts = [self.literal(each, kind, left) for each in families]
        shared = families[0] if len(set(families)) == 1 else ""
        return [Operand(text, ANY) for text in texts], shared

    def bounds(self, family: str, left: Operand) -> list[str]:
        """Two literals in order."""
        if family in ("time", "anniversary"):
            return literals.time_bounds(self.random)
        if family == "number":
            return list(map(literals.spell_number, sorted(self.number(left) for _ in range(2))))
        return [quote(text) for text in sorted(literals.text(self.random) for _ in range(2))]

    def scalar(self) -> str:
        """A scalar family."""
        return self.random.choice(SCALARS)

    def number(self, left: Operand) -> literals.Number:
        """A number, mostly one that the left side can be."""
        if left.among and not self.chance(0.2):
            return self.random.choice(left.among)
        return (literals.money if left.type is CURRENCY else literals.number)(self.random)

    def literal(self, family: str, kind: Right, left: Operand, years: bool = False) -> str:
        """A literal of the family, as the kind of right side wants it."""
        match kind, family:
            case Right.DURATION, _:
                return literals.duration(self.random)
            case Right.PATTERN, _:
                return literals.pattern(self.random)
            case _, "number":
                return literals.spell_number(self.number(left))
            case _, "boolean":
                return self.random.choice(["true", "false"])
            case _, "text":
                text = literals.maybe_empty(self.random, kind is not Right.SAME)
                return literals.spell_text(self.random, text)
            case _:
                return literals.time(self.random, years)

    # ---- values

    def value(self, family: str, depth: int, typed: bool = False) -> Operand | None:
        """A value of the family; `typed`: no undeclared path. None where there is none."""
        ways: list[Callable[[], Operand | None]] = [
            partial(self.known, family),
            partial(self.path, family, typed),
            partial(self.made, family, depth),
        ]
        first = self.random.choice([0, 0, 0, 1, 2])
        found = (way() for way in ways[first:] + ways[:first])
        return next((operand for operand in found if operand is not None), None)

    def known(self, family: str) -> Operand | None:
        """A declared field."""
        fitting = self.vocabulary.known(family)
        return self.random.choice(fitting) if fitting else None

    def path(self, family: str, typed: bool) -> Operand | None:
        """An undeclared path, or an open field itself."""
        ways = [*self.vocabulary.paths, *((root, None) for root in self.vocabulary.opened)]
        if typed or not ways or family == "anniversary":
            return None
        root, steps = self.random.choice(ways)
        if steps is None:
            steps = () if self.chance(0.05) else random_path(self.random)
        while steps and spell_name(root, steps) in self.vocabulary.schema.specs:
            steps = (*steps, KEYS[0])  # Only what is not declared has no type of its own.
        if self.chance(0.1):
            return Operand(self.respelt(root, steps), ANY)
        return Operand(spell_field(spell_name(root, steps), root), ANY)

    def respelt(self, root: str, steps: Steps) -> str:
        """The path with its root in backticks and every key in quotes."""
        return f"`{root}`" + "".join(
            f"[{quote(step) if isinstance(step, str) else step}]" for step in steps
        )

    def made(self, family: str, depth: int) -> Operand | None:
        """A value that a function or arithmetic gives."""
        ways = self.vocabulary.makers_of(family, depth)
        if not ways:
            return None
        row, taken = self.random.choice(ways)
        inner = self.value(taken, depth - 1)
        if inner is None:
            return None
        text = self.applied(row, taken, inner.text, depth)
        return Operand(text, row.gives, _AMONG.get(row, range(0)))

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
