"""Groups of audiences: the tiers of a loyalty programme, which change together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from segment_engine.errors import NotFound, Problem
from segment_engine.store import audience_rows
from segment_engine.store.attributes import DYNAMIC, name_of
from segment_engine.store.database import Database
from segment_engine.store.defining import Definitions, defining
from segment_engine.store.ids import is_id
from segment_engine.store.problems import invalid, refuse
from segment_engine.store.records import Audience, Group, Organization
from segment_engine.store.tables import audiences, groups
from segment_engine.store.tiers import Tier, attribute_of, gaps, tiers_of
from segment_engine.values.folding import fold

SEGMENTED_VALUE = "SEGMENTED_VALUE"
DEFAULT_ATTRIBUTE = "totalOrderValue"


class Groups:
    """The groups of one organization; those of another one are not found."""

    def __init__(self, database: Database, organization: Organization) -> None:
        """Made by `Store.of`."""
        self._database, self._organization = database, organization

    def get(self, id: str) -> Group:
        """The group of that id. Raises NotFound."""
        with self._database.reading() as connection:
            return self._get(connection, id)

    def audiences(self, id: str) -> list[Audience]:
        """Its audiences that are not archived, by their order. Raises NotFound."""
        with self._database.reading() as connection:
            self._get(connection, id)
            own = audiences.c.group_id == id, audiences.c.archived.is_(False)
            return _in_order(audience_rows.read(connection, self._organization.id, *own))

    def create_tiers(
        self,
        name: str,
        attribute: str | None = None,
        tiers: Sequence[Mapping[str, Any]] = (),
    ) -> tuple[list[Audience], list[str]]:
        """A new group with a DYNAMIC audience a tier, in their order; and warnings of gaps.

        `attribute` is a number or currency field, totalOrderValue unless told. A tier is
        `{name, order, startValue, endValue, iconName}` as in the API: a consumer is in it whose
        value is startValue or more, and less than endValue where that is not None; numbers may
        be texts. Raises Invalid, also where two tiers overlap.
        """
        group_name = _group_name(name)
        chosen = attribute_of(attribute or DEFAULT_ATTRIBUTE, self._organization.engine.schema)
        wanted = tiers_of(tiers)
        refuse(
            Problem(f"{tier.place}.audienceId", "a new group has no audiences yet")
            for tier in wanted
            if tier.audience is not None
        )
        with defining(self._database, self._organization) as held:
            group = _new_group(held, group_name, chosen)
            made = [_put(held, group, tier, None) for tier in wanted]
        return made, gaps(wanted)

    def update_tiers(
        self,
        id: str,
        name: str | None = None,
        attribute: str | None = None,
        tiers: Sequence[Mapping[str, Any]] | None = None,
    ) -> tuple[list[Audience], list[str]]:
        """Changes a group, all of it at once; what is None stays.

        `tiers` are all that there shall be: one is the audience of its `audienceId`, which may
        be archived, else that of its name, else a new one. Those that are not named are
        archived. Raises NotFound, Invalid, and Conflict where another audience refers to one.
        """
        wanted = None if tiers is None else tiers_of(tiers)
        with defining(self._database, self._organization) as held:
            before = self._get(held.connection, id)
            after = replace(
                before,
                name=before.name if name is None else _group_name(name),
                attribute=attribute_of(
                    before.attribute if attribute is None else attribute,
                    self._organization.engine.schema,
                ),
            )
            every = held.members_of(id, archived=True)
            if wanted is None:
                wanted = [Tier.of(audience) for audience in every if not audience.archived]
            chosen = _chosen(wanted, every)
            kept = {audience.id for audience in chosen if audience is not None}
            held.archive([a for a in every if a.id not in kept and not a.archived])
            _write_group(held, before, after)
            pairs = zip(wanted, chosen, strict=True)
            made = [_put(held, after, tier, audience) for tier, audience in pairs]
        return _in_order(made), gaps(wanted)

    def archive(self, id: str) -> None:
        """Archives all audiences of the group; again is nothing. Raises NotFound, and Conflict
        where an audience outside of it refers to one."""
        with defining(self._database, self._organization) as held:
            self._get(held.connection, id)
            held.archive(held.members_of(id))

    def _get(self, connection: Connection, id: str) -> Group:
        own = groups.c.organization == self._organization.id, groups.c.id == id
        asked = select(*(groups.c[name] for name in Group.__slots__)).where(*own)
        row = connection.execute(asked).first() if is_id(id) else None
        if row is None:
            raise NotFound("Group not found")
        return Group(*row)


def _group_name(given: Any) -> str:
    try:
        return name_of(given)
    except ValueError as fault:
        raise invalid([Problem("groupName", str(fault))]) from None


def _new_group(held: Definitions, name: str, attribute: str) -> Group:
    made = Group(held.new_id("grp"), name, SEGMENTED_VALUE, attribute, held.now, held.now)
    organization = held.organization.id
    held.connection.execute(insert(groups).values(organization=organization, **_columns(made)))
    return made


def _write_group(held: Definitions, before: Group, after: Group) -> None:
    if after == before:
        return
    own = groups.c.organization == held.organization.id, groups.c.id == before.id
    changed = _columns(replace(after, updated_at=held.now))
    held.connection.execute(update(groups).where(*own).values(**changed))


def _columns(group: Group) -> dict[str, Any]:
    return {name: getattr(group, name) for name in Group.__slots__}


def _chosen(tiers: Sequence[Tier], there: Sequence[Audience]) -> list[Audience | None]:
    """The audience that each tier is already; None for new ones."""
    by_id = {audience.id: audience for audience in there}
    told = {tier.audience for tier in tiers}
    by_name = {fold(a.name): a for a in there if not a.archived and a.id not in told}
    refuse(
        Problem(f"{tier.place}.audienceId", "the group has no such audience")
        for tier in tiers
        if tier.audience is not None and tier.audience not in by_id
    )
    return [by_id[t.audience] if t.audience else by_name.get(fold(t.name)) for t in tiers]


def _put(held: Definitions, group: Group, tier: Tier, before: Audience | None) -> Audience:
    """The audience of a tier, made or brought to what the tier says."""
    stated = held.stated(DYNAMIC, tier.rows(str(group.attribute)), None, before)
    said: dict[str, Any] = {"name": tier.name, "tier": tier.kept(), **tier.icon}
    if before is None:
        return held.add(stated, {"type": DYNAMIC, "group_id": group.id, **said})
    return held.written(before, replace(held.ruled(before, stated), archived=False, **said))


def _in_order(tiers: list[Audience]) -> list[Audience]:
    """By their order; audiences of no tier come last."""
    return sorted(tiers, key=lambda a: (a.tier is None, a.tier["order"] if a.tier else 0, a.id))
