"""Previews: who a rule would have as members, before it is saved."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ulid import ULID

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.batch.by_ordinal import basis_text, run_before
from segment_engine.batch.memberships import Memberships
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.errors import Problem
from segment_engine.expression.logic import Condition
from segment_engine.expression.nodes import Call, Expr
from segment_engine.expression.resolve import AND
from segment_engine.expression.spelling import spell
from segment_engine.rule import Rule
from segment_engine.store.asking import asked
from segment_engine.store.consumers import Consumers
from segment_engine.store.database import Database
from segment_engine.store.outcome import reason_of
from segment_engine.store.problems import invalid
from segment_engine.store.records import Organization
from segment_engine.store.references import Names
from segment_engine.store.rules import Statements
from segment_engine.store.source import Erased, Reading

FIRST = 20
"""Members that a preview shows, unless told."""
MOST_USUAL = 200
"""Conditions of audiences whose values are kept for previews."""
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
    """Previews for one organization; they wait for no run, and for one another.

    They have a snapshot of their own, and beside it what the last of them was computed from.
    """

    def __init__(self, database: Database, organization: Organization, folder: Path) -> None:
        """`folder` keeps the snapshots of this host."""
        self._database, self._id = database, organization.id
        self._snapshot = folder / "previews" / organization.id
        self._consumers = Consumers(database, organization)

    def preview(self, rule: Any, first: int = FIRST) -> Preview:
        """The members of a rule, as text or as rows. Raises Invalid where it is wrong."""
        with self._database.reading() as connection:
            reading = Reading(connection, self._consumers, self._id)
            names = Names(connection, self._id)
            statements = Statements(reading.engine, names, lambda: f"rul_{ULID()}")
            stated = statements.of_text if isinstance(rule, str) else statements.of_rows
            found = stated(rule).rule
            run, parts = self._asked(reading, found)
            if (fault := run.failed.get(_WHOLE)) is not None:
                field = "expression" if isinstance(rule, str) else "rules"
                raise invalid([Problem(field, reason_of(fault))])
            return _told(reading, found, run, parts, first)

    def _asked(self, reading: Reading, rule: Rule) -> tuple[Memberships, dict[str, str]]:
        """The run, and by their keys in it the conditions that the rule joins by `and`."""
        clauses = [spell(one) for one in _clauses(rule.expression)]
        parts = {f"clause {n}": one for n, one in enumerate(clauses)}
        rules = {**_usual(reading), **reading.behind(rule), **parts, _WHOLE: rule}
        return self._run(reading, rules), parts

    def _run(self, reading: Reading, rules: dict[str, Any]) -> Memberships:
        since, change = self._last()
        run = asked(reading, self._snapshot, rules, since, change)
        self._keep(run, reading)
        return run

    # ---- what the last one was computed from: who has changed since is all that is read then

    def _last(self) -> tuple[Memberships | None, int | None]:
        try:
            told = json.loads(self._beside.read_bytes())
            return run_before(int(told["ordinals"]), {}, told["basis"]), int(told["change"])
        except (OSError, ValueError, TypeError, KeyError):
            return None, None

    def _keep(self, run: Memberships, reading: Reading) -> None:
        told = {
            "basis": basis_text(run),
            "change": reading.organization.change_seq,
            "ordinals": reading.ordinals,
        }
        fresh = self._beside.with_suffix(f".{secrets.token_hex(8)}")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        os.replace(fresh, self._beside)

    @property
    def _beside(self) -> Path:
        return self._snapshot.with_suffix(".json")


def _told(
    reading: Reading, rule: Rule, run: Memberships, parts: Mapping[str, str], first: int
) -> Preview:
    erased = reading.erased()
    members = _without(run.bitmap(_WHOLE), erased)
    return Preview(
        text=rule.text,
        count=len(members),
        consumers=reading.ordinals - sum(map(len, erased.values())),
        ordinals=members.ordinals(0, first).tolist(),
        clauses=[(text, len(_without(run.bitmap(key), erased))) for key, text in parts.items()],
        diagnostics=rule.diagnostics,
        as_of=reading.as_of,
    )


def _usual(reading: Reading) -> dict[str, Any]:
    """Conditions that are asked beside the rule, so that what they read stays in the snapshot.

    Another preview would have to read it of all consumers again.
    """
    specs = reading.engine.schema.specs.values()
    plain = [one.name for one in specs if one.derived is None and one.column != "metadata"]
    conditions = dict.fromkeys(
        part
        for rule in reading.rules.values()
        if isinstance(rule, Rule)
        for part in rule.logic
        if isinstance(part, Condition)
    )
    texts = [spell(one.expression) for one in [*conditions][:MOST_USUAL]]
    checked = [reading.checked(text) for text in (*(f"{name} exists" for name in plain), *texts)]
    return {f"usual {n}": one for n, one in enumerate(checked)}


def _clauses(expr: Expr) -> Iterator[Expr]:
    """The conditions that the rule joins by `and`."""
    if isinstance(expr, Call) and expr.op is AND:
        yield from expr.args
    else:
        yield expr


def _without(members: Bitmap, erased: Erased) -> Bitmap:
    gone = Bitmap({n: Tile.of(places) for n, places in erased.items()})
    return members - gone if gone.tiles else members
