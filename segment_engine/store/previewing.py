"""Previews: who a rule would have as members, before it is saved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from ulid import ULID

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.batch.view import Question
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.errors import Problem
from segment_engine.expression.nodes import Call, Expr
from segment_engine.expression.resolve import AND
from segment_engine.expression.spelling import spell
from segment_engine.rule import Rule
from segment_engine.store.consumers import Consumers
from segment_engine.store.database import Database
from segment_engine.store.outcome import reason_of
from segment_engine.store.problems import invalid
from segment_engine.store.records import Organization
from segment_engine.store.references import Names
from segment_engine.store.rules import Statements
from segment_engine.store.source import Reading
from segment_engine.store.views import Views
from segment_engine.values.isotime import format_instant

FIRST = 20
"""Members that a preview shows, unless told."""
_WHOLE = "rule"


@dataclass(frozen=True, slots=True)
class Preview:
    """The members of a rule: how many of how many consumers, and the first of them by ordinal.

    `clauses` are the conditions that the rule joins by `and`, each with how many consumers it is
    true for; `text` is the rule with other audiences by their ids, and `diagnostics` are what is
    to be said about it. `as_of` is in microseconds since 1970.
    """

    text: str
    count: int
    consumers: int
    ordinals: Sequence[int]
    clauses: Sequence[tuple[str, int]]
    diagnostics: Sequence[Diagnostic]
    as_of: int


class Previews:
    """Previews for one organization, on the consumers as they are."""

    def __init__(self, database: Database, organization: Organization, views: Views) -> None:
        self._database, self._id = database, organization.id
        self._kept = views.of(organization.id)
        self._consumers = Consumers(database, organization)

    def preview(self, rule: Any, first: int = FIRST) -> Preview:
        """The members of a rule, as text or as rows. Raises Invalid where it is wrong."""
        with self._kept.lock, self._database.reading() as connection:
            reading = Reading(connection, self._consumers, self._id)
            found = self._checked(connection, reading, rule)
            texts = map(spell, _clauses(found.expression))
            clauses = {f"clause {n}": text for n, text in enumerate(texts)}
            question = _asked(reading, {**clauses, _WHOLE: found}, found)
            if (fault := question.failed.get(_WHOLE)) is not None:
                field = "expression" if isinstance(rule, str) else "rules"
                raise invalid([Problem(field, reason_of(fault))])
            view, tiles = self._kept.asked(reading, question)
            erased = reading.erased()
        gone = Bitmap({n: Tile.of(places) for n, places in erased.items()})
        kept = {key: one - gone for key, one in view.members(question, tiles).items()}
        return Preview(
            text=found.text,
            count=len(kept[_WHOLE]),
            consumers=view.size - len(gone),
            ordinals=kept[_WHOLE].ordinals(0, first).tolist(),
            clauses=[(text, len(kept[key])) for key, text in clauses.items()],
            diagnostics=found.diagnostics,
            as_of=reading.as_of,
        )

    def _checked(self, connection: Connection, reading: Reading, rule: Any) -> Rule:
        names = Names(connection, self._id)
        statements = Statements(reading.engine, names, lambda: f"rul_{ULID()}")
        stated = statements.of_text if isinstance(rule, str) else statements.of_rows
        return stated(rule).rule


def _asked(reading: Reading, rules: Mapping[str, Any], whole: Rule) -> Question:
    every = {**reading.behind(whole), **rules}
    return Question(
        reading.engine,
        every,
        reading.lists(every.values()),
        reading.source(None).source.columns,
        format_instant(reading.as_of),
    )


def _clauses(expr: Expr) -> Iterator[Expr]:
    """The conditions that the rule joins by `and`."""
    if isinstance(expr, Call) and expr.op is AND:
        yield from expr.args
    else:
        yield expr
