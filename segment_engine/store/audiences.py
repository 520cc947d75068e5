"""The audiences of one organization: what they are called and mean, and how they are found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from segment_engine.errors import Conflict, Invalid, NotFound, Problem, RevisionConflict
from segment_engine.store import audience_pages, audience_rows
from segment_engine.store.attributes import checked
from segment_engine.store.database import Database
from segment_engine.store.defining import defining, get
from segment_engine.store.ids import is_id
from segment_engine.store.matching import is_one_of
from segment_engine.store.problems import refuse
from segment_engine.store.records import Audience, Organization, Page
from segment_engine.store.rules import Row
from segment_engine.store.tables import audiences
from segment_engine.values.folding import fold

_RULE = ("rules", "expression")

Found = list[Audience]
Rows = list[Row]


class Audiences:
    """The audiences of one organization; those of another one are not found.

    Rules may name other audiences by id or by name and are kept with ids, so that a renamed
    audience stays the one that is meant. Whoever changes one holds all of the organization.
    """

    def __init__(self, database: Database, organization: Organization) -> None:
        """Made by `Store.of`."""
        self._database, self._organization = database, organization

    # ---- reading

    def get(self, id: str) -> Audience:
        """The audience of that id, archived or not. Raises NotFound."""
        with self._database.reading() as connection:
            return get(connection, self._organization.id, id)

    def list(
        self,
        first: int | None = None,
        after: Sequence[Any] | None = None,
        before: Sequence[Any] | None = None,
        last: int | None = None,
        sort_by: str = "createdAt",
        sort_dir: str = "asc",
        search: str | None = None,
        type: str | None = None,
        archived: bool | None = False,
    ) -> Page[Audience]:
        """The `first` audiences, or the `last`, between two positions that a page gave.

        `sort_by` is name (letter case aside), createdAt or updatedAt, `sort_dir` asc or desc.
        `search` is part of the name or the description, letter case aside. `archived` is whether
        they are; None is both. Raises Invalid.
        """
        wanted = audience_pages.Wanted(
            sort_by, sort_dir, first, last, after, before, search, type, archived
        )
        with self._database.reading() as connection:
            return audience_pages.page(connection, self._organization.id, wanted)

    def active(self) -> Found:
        """All that are not archived, in the order of their ids."""
        with self._database.reading() as connection:
            kept = audiences.c.archived.is_(False)
            return audience_rows.read(connection, self._organization.id, kept)

    def labels(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of the audiences of those ids, by name; unknown ones are left out."""
        table = audiences.c
        asked = select(table.id, table.name).where(table.organization == self._organization.id)
        with self._database.reading() as connection:
            named = is_one_of(connection, table.id, list(filter(is_id, ids)))
            found = connection.execute(asked.where(named)).all()
        return dict(sorted(found, key=lambda row: (fold(row[1]), row[0])))

    def id_of(self, name_or_id: str) -> str:
        """The id of the audience of that name, else of that id. Raises NotFound, and Invalid where
        several are called so."""
        found = [one.id for one in self.list(search=name_or_id).items if one.name == name_or_id]
        if len(found) > 1:
            raise Invalid(
                f"several audiences are called {name_or_id}: {', '.join(found)}; name one's id"
            )
        if not found and not is_id(name_or_id):
            raise NotFound(f"there is no audience '{name_or_id}'; POST /api/v1/audiences makes one")
        return found[0] if found else self.get(name_or_id).id

    # ---- writing

    def create(
        self,
        name: str,
        type: str,
        *,
        description: str | None = None,
        icon_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        rules: Sequence[Mapping[str, Any]] | None = None,
        expression: str | None = None,
        refresh_interval: int | None = None,
    ) -> Audience:
        """A new audience, of type DYNAMIC, STATIC (or STATIC_LIST) or SYNCED_LIST.

        A DYNAMIC one has a rule, as rows or as an expression, or none and so no members.
        Raises Invalid.
        """
        values = checked(
            {
                "name": name,
                "type": type,
                "description": description,
                "icon_name": icon_name,
                "metadata": metadata,
                "refresh_interval": refresh_interval,
            }
        )
        with defining(self._database, self._organization) as held:
            return held.add(held.stated(values["type"], rules, expression), values)

    def update(
        self, id: str, changes: Mapping[str, Any], if_revision: int | None = None
    ) -> Audience:
        """Changes what is in `changes`, by the names that `create` has; None clears.

        `archived` False brings an archived audience back. What is the same stays, and so does
        the revision then. Raises NotFound, Invalid, RevisionConflict where the revision is not
        `if_revision`, and Conflict where other audiences, or the group, speak against it.
        """
        values = checked({key: value for key, value in changes.items() if key not in _RULE})
        with defining(self._database, self._organization) as held:
            before = held.get(id)
            if if_revision is not None and if_revision != before.revision:
                raise RevisionConflict("The audience was changed since that revision")
            if values.pop("type", before.type) != before.type:
                refuse([Problem("type", "the type of an audience never changes")])
            after = replace(before, **values)
            if changes.keys() & _RULE:
                rules, expression = (changes.get(key) for key in _RULE)
                stated = held.stated(before.type, rules, expression, before)
                after = held.ruled(after, stated)
            return held.write(before, after)

    def archive(self, id: str) -> Audience:
        """The audience, archived now or before. Raises NotFound, and Conflict with those that
        refer to it."""
        with defining(self._database, self._organization) as held:
            before = held.get(id)
            return held.write(before, replace(before, archived=True))

    # ---- rows of a rule

    def rules(self, id: str) -> Rows:
        """The rows of its rule; none where rows cannot say it. Raises NotFound."""
        return self.get(id).rules

    def add_rules(self, id: str, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Adds rows behind those that there are; the ones that were added, with their ids.

        Raises NotFound, Invalid, and Conflict where rows cannot say the rule that there is.
        """
        with defining(self._database, self._organization) as held:
            before = held.get(id)
            if before.expression is not None and not before.rules:
                raise Conflict("The rule of the audience cannot be said in rows")
            given = [*before.rules, *_listed(rows)]
            stated = held.stated(before.type, given, None, before, start=len(before.rules))
            after = held.write(before, held.ruled(before, stated))
        known = {row["id"] for row in before.rules}
        return [row for row in after.rules if row["id"] not in known]

    def replace_rules(self, id: str, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Puts these rows in the place of the rule; all of them, with their ids.

        Raises NotFound and Invalid.
        """
        return self.update(id, {"rules": _listed(rows)}).rules


def _listed(rows: Any) -> Rows:
    if not isinstance(rows, list | tuple):
        refuse([Problem("rules", "rules are a list of rows")])
    return list(rows)
