"""One transaction over the audiences of an organization, which it holds until its end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from segment_engine.errors import Conflict, NotFound, Problem, RuleError
from segment_engine.store import audience_rows, counting, jobs
from segment_engine.store.attributes import DYNAMIC
from segment_engine.store.database import Database
from segment_engine.store.ids import is_id, new_id
from segment_engine.store.problems import refuse
from segment_engine.store.records import Audience, Organization
from segment_engine.store.references import Names
from segment_engine.store.rules import Stated, Statements
from segment_engine.store.tables import audiences
from segment_engine.values.folding import fold


@contextmanager
def defining(database: Database, organization: Organization) -> Iterator["Definitions"]:
    """A transaction that changes audiences, one an organization at a time.

    A run is wanted where something changed that memberships depend on.
    """
    with database.writing() as connection:
        counting.lock(connection, organization.id)
        held = Definitions(connection, organization, database.now(connection))
        yield held
        if held.changed:
            counting.definition_changed(connection, organization.id)
            jobs.want(connection, organization.id)


class Definitions:
    """The audiences of an organization, as one transaction changes them."""

    def __init__(self, connection: Connection, organization: Organization, now: int) -> None:
        """Made by `defining`; `now` is the instant of all its changes."""
        self.connection, self.organization, self.now = connection, organization, now
        self.names = Names(connection, organization.id)
        self.statements = Statements(organization.engine, self.names, lambda: self.new_id("rul"))
        self.changed = False

    def new_id(self, kind: str) -> str:
        """A new id of something that is made now."""
        return new_id(kind, self.now)

    def get(self, id: str) -> Audience:
        """The audience of that id, archived or not. Raises NotFound."""
        return get(self.connection, self.organization.id, id)

    # ---- rules

    def stated(
        self, type: str, rules: Any, expression: Any, of: Audience | None = None, start: int = 0
    ) -> Stated | None:
        """The rule that an audience of that type is to have, as rows or as text; None is none.

        `of` is the audience, where there is one yet; its first `start` rows are not new.
        Raises Invalid.
        """
        rules = None if rules in ([], ()) else rules
        if rules is None and expression is None:
            return None
        field = "rules" if expression is None else "expression"
        if rules is not None and expression is not None:
            refuse([Problem(field, "a rule comes as rows or as an expression, not as both")])
        if type != DYNAMIC:
            refuse([Problem(field, "only a DYNAMIC audience has a rule")])
        if rules is not None:
            return self.statements.of_rows(rules, of, start)
        return self.statements.of_text(expression, of)

    def ruled(self, audience: Audience, stated: Stated | None) -> Audience:
        """The audience with that rule, as the next version where it means something else."""
        same = self._means(audience.expression, stated)
        self._refer(audience.id, stated)
        return replace(
            audience,
            expression=stated.text if stated else None,
            rules=stated.rows if stated else [],
            version=audience.version + (not same),
        )

    def _means(self, text: str | None, stated: Stated | None) -> bool:
        if text is None or stated is None:
            return text is None and stated is None
        try:
            return text == stated.text or self._rule_hash(text) == stated.rule.hash
        except RuleError:  # the fields of the organization were others when it was written
            return False

    def _rule_hash(self, text: str) -> str:
        return self.organization.engine.rule(text).hash

    def _refer(self, id: str, stated: Stated | None) -> None:
        others = [reference.key for reference in stated.named] if stated else []
        audience_rows.refer(self.connection, self.organization.id, id, others)

    # ---- writing

    def add(self, stated: Stated | None, values: Mapping[str, Any]) -> Audience:
        """Writes a new audience, with such of its values as there are."""
        blank = dict.fromkeys(_MAY_LACK)
        made = Audience(
            **{
                **blank,
                **values,
                "id": self.new_id("aud"),
                "version": 1,
                "revision": 1,
                "archived": False,
                "expression": stated.text if stated else None,
                "rules": stated.rows if stated else [],
                "created_at": self.now,
                "updated_at": self.now,
            }
        )
        audience_rows.add(self.connection, self.organization.id, made)
        self._refer(made.id, stated)
        self.changed = True
        return self.get(made.id)

    def write(self, before: Audience, after: Audience) -> Audience:
        """Writes what differs; the audience as it is then. Raises Conflict.

        It cannot be archived while others refer to it, nor come back while others that it
        refers to are archived. A tier means what its group says.
        """
        if before.tier is not None:
            self._check_tier(before, after)
        if after.archived and not before.archived:
            self.check_dependents([before.id])
        if before.archived and not after.archived:
            self._check_references(before.id)
        return self.written(before, after)

    def _check_tier(self, before: Audience, after: Audience) -> None:
        if (before.expression, before.rules) != (after.expression, after.rules):
            raise Conflict("The rule of a loyalty tier comes from its group")
        if before.archived and not after.archived:
            raise Conflict("A loyalty tier comes back with the tiers of its group")
        if before.name != after.name and self._is_taken(after):
            raise Conflict("Another tier of the group has this name")

    def _is_taken(self, tier: Audience) -> bool:
        return any(
            fold(other.name) == fold(tier.name) and other.id != tier.id
            for other in self.members_of(tier.group_id)
        )

    def members_of(self, group: str | None, archived: bool = False) -> list[Audience]:
        """The audiences of a group, those alone that are not archived, unless told."""
        table = audiences.c
        kept = () if archived else (table.archived.is_(False),)
        own = self.organization.id
        return audience_rows.read(self.connection, own, table.group_id == group, *kept)

    def archive(self, chosen: Sequence[Audience]) -> None:
        """Archives these audiences together. Raises Conflict where others refer to one."""
        self.check_dependents([audience.id for audience in chosen if not audience.archived])
        for audience in chosen:
            self.written(audience, replace(audience, archived=True))

    def written(self, before: Audience, after: Audience) -> Audience:
        """As `write`, without asking whether anything speaks against it."""
        after = replace(after, updated_at=self.now)
        if audience_rows.write(self.connection, self.organization.id, before, after):
            old, new = (before.version, before.archived), (after.version, after.archived)
            self.changed = self.changed or old != new
        return self.get(before.id)

    def check_dependents(self, ids: Iterable[str]) -> None:
        """Raises Conflict with the audiences that refer to these from outside of them."""
        if found := self.names.dependents(ids):
            raise Conflict(
                "Other audiences refer to it",
                [Problem("id", f'"{name}" ({id}) refers to it', "in-use") for id, name in found],
            )

    def _check_references(self, id: str) -> None:
        if found := self.names.archived(id):
            raise Conflict(
                "The audience refers to archived ones",
                [Problem("archived", f'"{name}" ({id}) is archived') for id, name in found],
            )


_MAY_LACK = (
    *("description", "icon_name", "metadata", "group_id", "group_name", "group_type"),
    *("sync_source_id", "refresh_interval", "tier"),
)


def get(connection: Connection, organization: str, id: str) -> Audience:
    """The audience of that id, archived or not. Raises NotFound."""
    known = is_id(id)
    found = audience_rows.read(connection, organization, audiences.c.id == id) if known else []
    if not found:
        raise NotFound("Audience not found")
    return found[0]
