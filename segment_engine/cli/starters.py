"""Audiences to begin with: what is worth asking of consumers that nobody described yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from segment_engine.engine import Engine
from segment_engine.errors import RuleError
from segment_engine.expression.column_names import tells_label, words_of
from segment_engine.expression.inferred import percent
from segment_engine.expression.spelling import spell_field
from segment_engine.values.numbers import plain
from segment_engine.values.paths import parse_name, quote

if TYPE_CHECKING:
    from segment_engine.backends.preview import Preview
    from segment_engine.backends.profile import FieldProfile

MOST = 6
_SPANS = (90, 30, 180, 365, 7)
_NEARLY_ALL = 0.9
_TELLING = (
    {"last", "latest", "recent"},
    {"order", "ordered", "purchase", "seen", "active", "visit", "login"},
    {"updated", "modified", "created", "signup", "joined", "registered"},
)


@dataclass(frozen=True, slots=True)
class Starter:
    """An audience: the key and the texts that a catalog gives it, and its rule's text."""

    key: str
    name: str
    description: str
    rule: str


@dataclass(frozen=True, slots=True)
class Starters:
    """Finds audiences for consumers of which `everybody` is the preview of the rule `true`."""

    engine: Engine
    source: Any
    everybody: "Preview"
    id_column: str

    def found(self) -> list[Starter]:
        """Everyone, and up to five more that keep some and not all; none says what another does."""
        kept = [Starter("everyone", "Everyone", "All consumers.", "true")]
        for group in self._groups():
            kept += self._telling(group, {starter.rule for starter in kept})
        return kept[:MOST]

    def _groups(self) -> Iterator[Iterator[list[Starter]]]:
        """What to try, the most useful first; of each group the first that tells something."""
        profile = self.everybody.profile
        yield map(_reachable, [field for field in profile if _is_address(field)])
        yield map(_high, _numbers(profile))
        yield (pair for field in _times(profile) for pair in _around(field))
        yield map(_frequent, self._grouping("text"))
        yield map(_frequent, self._grouping("boolean"))
        yield map(_upper_half, _numbers(profile)[::-1])
        yield map(_incomplete, [field for field in profile if 0 < field.everybody.filled < 1])

    def _grouping(self, kind: str) -> list["FieldProfile"]:
        """Fields with few values that several consumers share, those filled best first."""
        found = [
            field
            for field in self.everybody.profile
            if field.type == kind and _is_shared(field, self.everybody.total)
        ]
        return sorted(
            found, key=lambda f: (f.everybody.top[0][1] > _NEARLY_ALL, -f.everybody.filled)
        )

    def _telling(self, group: Iterator[list[Starter]], said: set[str]) -> list[Starter]:
        for tried in group:
            if tried and all(each.rule not in said and self._tells(each.rule) for each in tried):
                return tried
        return []

    def _tells(self, rule: str) -> bool:
        """Whether the rule is right and keeps some consumers and not all."""
        try:
            checked = self.engine.rule(rule)
        except RuleError:
            return False
        as_of = self.everybody.as_of
        count = checked.count(self.source, as_of=as_of, id_column=self.id_column)
        return 0 < count < self.everybody.total


def spelt(field: "FieldProfile") -> str:
    """The field's name as a rule spells it."""
    parsed = parse_name(field.name)
    return spell_field(field.name, parsed[0] if parsed and parsed[1] else field.name)


def _is_address(field: "FieldProfile") -> bool:
    return field.type == "text" and bool({"email", "mail", "phone"} & set(words_of(field.name)))


def _numbers(profile: Sequence["FieldProfile"]) -> list["FieldProfile"]:
    """Amounts of money first; no ids and other labels."""
    found = [field for field in profile if field.type in ("currency", "number")]
    counting = [field for field in found if tells_label(field.name) is None]
    return sorted(counting, key=lambda field: field.type != "currency")


def _times(profile: Sequence["FieldProfile"]) -> list["FieldProfile"]:
    """Those that seem to tell of the last thing a consumer did first; no birthdays."""
    found = [field for field in profile if field.type in ("date", "datetime")]
    lived = [
        field for field in found if not {"birth", "birthday", "dob"} & set(words_of(field.name))
    ]
    return sorted(lived, key=lambda field: _telling_rank(field.name))


def _telling_rank(name: str) -> tuple[bool, ...]:
    words = set(words_of(name))
    return tuple(not words & telling for telling in _TELLING)


def _is_shared(field: "FieldProfile", total: int) -> bool:
    """Whether the most frequent value is one of many consumers, and not the only value."""
    top = field.everybody.top
    return len(top) > 1 and top[0][1] * total > 1 and tells_label(field.name) is None


def _reachable(field: "FieldProfile") -> list[Starter]:
    filled = percent(field.everybody.filled)
    about = f"Consumers whose {field.name} is filled: {filled} when this was written."
    return [Starter("reachable", f"With {field.name}", about, f"{spelt(field)} is not empty")]


def _high(field: "FieldProfile") -> list[Starter]:
    figures = field.everybody
    if not _is_above(figures.p90, figures.low):
        return []
    least = plain(figures.p90)
    about = f"The tenth with the highest {field.name}: {least} or more when this was written."
    rule = f"{spelt(field)} >= {least}"
    return [Starter("top_tenth", f"Top tenth by {field.name}", about, rule)]


def _upper_half(field: "FieldProfile") -> list[Starter]:
    figures = field.everybody
    if not _is_above(figures.median, figures.low):
        return []
    least = plain(figures.median)
    about = f"The half with the higher {field.name}: {least} or more when this was written."
    rule = f"{spelt(field)} >= {least}"
    return [Starter("upper_half", f"Upper half by {field.name}", about, rule)]


def _is_above(value: Any, low: Any) -> bool:
    return value is not None and isfinite(value) and value > low


def _around(field: "FieldProfile") -> Iterator[list[Starter]]:
    """Recent and lapsed by days before the run, else before and after the middle of the data."""
    name = spelt(field)
    for days in _SPANS:
        yield [
            Starter(
                "recent",
                f"Recent by {field.name}",
                f"Consumers whose {field.name} lies within the last {days} days.",
                f"{name} within last {days} days",
            ),
            Starter(
                "lapsed",
                f"Lapsed by {field.name}",
                f"Consumers whose {field.name} lies more than {days} days back.",
                f"{name} older than {days} days",
            ),
        ]
    if field.everybody.median is not None:
        yield _around_day(field, name, str(field.everybody.median)[:10])


def _around_day(field: "FieldProfile", name: str, day: str) -> list[Starter]:
    about = f"Consumers whose {field.name} lies {{}} {day}, the middle when this was written."
    return [
        Starter(
            "recent", f"Recent by {field.name}", about.format("on or after"), f"{name} >= {day}"
        ),
        Starter("lapsed", f"Lapsed by {field.name}", about.format("before"), f"{name} < {day}"),
    ]


def _frequent(field: "FieldProfile") -> list[Starter]:
    value, share = field.everybody.top[0]
    if field.type == "boolean":
        about = f"Consumers whose {field.name} is true."
        return [Starter("flagged", field.name, about, spelt(field))]
    about = (
        f"Consumers whose {field.name} is {value}, its most frequent value: {percent(share)} "
        "when this was written."
    )
    rule = f"{spelt(field)} = {quote(value)}"
    return [Starter("most_frequent", f"{field.name} {value}", about, rule)]


def _incomplete(field: "FieldProfile") -> list[Starter]:
    missing = percent(1 - field.everybody.filled)
    about = f"Consumers without {field.name}: {missing} when this was written."
    return [Starter("incomplete", f"Without {field.name}", about, f"{spelt(field)} is empty")]
