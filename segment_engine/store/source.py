"""One state of an organization, as the transaction of a run sees it: consumers and definitions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pyroaring import BitMap
from sqlalchemy import Connection, func, select

from segment_engine.backends.sources.tiled import Columns, TiledSource
from segment_engine.batch.bitmaps import TILE, Bitmap
from segment_engine.batch.by_ordinal import most_told
from segment_engine.engine import Engine
from segment_engine.errors import SegmentError
from segment_engine.rule import Rule
from segment_engine.store import organizations
from segment_engine.store.bitmaps import KeptTile, read, reader_of
from segment_engine.store.columns import AT_ONCE, json_columns
from segment_engine.store.consumers import READ, Consumers
from segment_engine.store.database import now
from segment_engine.store.generations import basis_of, newest
from segment_engine.store.tables import audiences, consumers, static_members

Rows = Sequence[tuple[int, str, int]]
"""Tile, hash and count of a bitmap."""
Erased = dict[int, BitMap]
"""By tile: the places of consumers that were erased."""


@dataclass(frozen=True, slots=True)
class Defined:
    """An audience that is not archived; `expression` is its rule, None where it has none."""

    id: str
    type: str
    version: int
    expression: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """The source of a run, and the ordinals that changed; None where all are to be read."""

    source: TiledSource
    ordinals: Sequence[int] | None


class Reading:
    """What a run reads, all in one transaction. Instants are microseconds since 1970."""

    def __init__(self, connection: Connection, reader: Consumers, organization: str) -> None:
        """`reader` reads the organization's consumers. Raises NotFound."""
        self._connection, self._reader = connection, reader
        self.organization = organizations.read(connection, organization)
        self.engine = _same(self.organization.engine)
        self.as_of = now(connection)
        self.tiles = reader_of(connection, organization)

    # ---- consumers

    @cached_property
    def ordinals(self) -> int:
        """How many ordinals there are, with those that were erased."""
        return self._reader.count_ordinals(self._connection)

    def source(self, since: int | None) -> Changed:
        """The consumers, and who changed after the change `since`, unless they are too many."""
        told = None if since is None else self.changed(since)
        source = TiledSource(self._read_all, told, self.fingerprint)
        return Changed(source, None if told is None else told["ordinal"])

    def changed(self, since: int) -> Columns | None:
        """All columns of who changed after the change `since`, unless they are too many."""
        return self._reader.read_changed(self._connection, since, most_told(self.ordinals))

    def _read_all(self, columns: list[str], size: int) -> Iterator[list[list[str]]]:
        for first in range(0, self.ordinals, size):
            end = min(first + size, self.ordinals)
            starts = range(first, end, AT_ONCE)
            yield [self._read(columns, one, min(one + AT_ONCE, end)) for one in starts]

    def _read(self, columns: list[str], first: int, end: int) -> list[str]:
        chosen = [consumers.c[READ[name]] for name in columns]
        those = consumers.c.ordinal >= first, consumers.c.ordinal < end
        return json_columns(self._connection, self.organization.id, chosen, *those)

    @cached_property
    def fingerprint(self) -> str:
        """Another one whenever consumers are others; see `change_of`.

        What is put back from a copy counts on from there, at another instant.
        """
        change = self.organization.change_seq
        query = select(func.max(consumers.c.updated_at)).where(
            consumers.c.organization == self.organization.id, consumers.c.change_seq == change
        )
        return f"{self.organization.id}:{change}:{self._connection.execute(query).scalar()}"

    @cached_property
    def _erased(self) -> list[tuple[int, int]]:
        """The ordinals of those who were erased, each with the change that did it."""
        c = consumers.c
        query = select(c.ordinal, c.change_seq).where(
            c.organization == self.organization.id, c.erased_at.is_not(None)
        )
        return [(row[0], row[1]) for row in self._connection.execute(query)]

    def erased(self, since: int = -1) -> Erased:
        """Those who were erased after the change `since`."""
        by_tile: dict[int, list[int]] = {}
        for ordinal, change in self._erased:
            if change > since:
                by_tile.setdefault(ordinal // TILE, []).append(ordinal % TILE)
        return {tile: BitMap(places) for tile, places in by_tile.items()}

    def newest_basis(self) -> str | None:
        """What the newest generation was computed from, in JSON."""
        number = newest(self._connection, self.organization.id)
        return basis_of(self._connection, self.organization.id, number)

    # ---- definitions

    @cached_property
    def audiences(self) -> dict[str, Defined]:
        """The audiences that are not archived, by id."""
        c = audiences.c
        query = select(c.id, c.type, c.version, c.expression).where(
            c.organization == self.organization.id, c.archived.is_(False)
        )
        return {row.id: Defined(*row) for row in self._connection.execute(query.order_by(c.id))}

    @cached_property
    def rules(self) -> dict[str, Rule | str]:
        """Of each dynamic audience its rule, and its text where that is wrong by now."""
        return {
            key: self.checked(one.expression)
            for key, one in self.audiences.items()
            if one.type == "DYNAMIC" and one.expression is not None
        }

    def checked(self, text: str) -> Rule | str:
        """A rule, checked once in the process; its text where it is wrong."""
        try:
            return _rule(self.engine, text)
        except SegmentError:
            return text

    @cached_property
    def _static(self) -> dict[str, list[tuple[int, str, int]]]:
        c = static_members.c
        query = select(c.audience, c.tile, c.hash, c.count).where(
            c.organization == self.organization.id
        )
        found: dict[str, list[tuple[int, str, int]]] = {}
        for audience, *row in self._connection.execute(query):
            found.setdefault(audience, []).append((row[0], row[1], row[2]))
        return found

    def members(self, audience: str) -> Bitmap:
        """Who was put into an audience that has no rule."""
        return self.bitmap(self._static.get(audience, ()))

    def bitmap(self, rows: Rows) -> Bitmap:
        """The bitmap of those rows, read when it is needed, while the transaction lasts."""
        return Bitmap({tile: KeptTile(count, hash, self.tiles) for tile, hash, count in rows})

    def lists(self, rules: Iterable[Rule | str]) -> dict[str, Bitmap]:
        """The members of audiences without a rule that these rules refer to, read at once: they
        are asked for when the transaction may have ended."""
        named = {key for rule in rules if isinstance(rule, Rule) for key in rule.audiences}
        if not named:
            return {}
        without = [key for key in self.audiences if key in named and key not in self.rules]
        return {key: self._at_once(self._static.get(key, ())) for key in without}

    def _at_once(self, rows: Rows) -> Bitmap:
        return read(self._connection, self.organization.id, rows)

    def behind(self, rule: Rule) -> dict[str, Rule | str]:
        """The rules that a rule refers to, and those that these refer to."""
        found: dict[str, Rule | str] = {}
        waiting = list(rule.audiences)
        while waiting:
            key = waiting.pop()
            if key in self.rules and key not in found:
                found[key] = other = self.rules[key]
                waiting.extend(other.audiences if isinstance(other, Rule) else ())
        return found


def change_of(fingerprint: str) -> int:
    """The change of which a fingerprint is; -1 where that is of none."""
    return int(fingerprint.split(":")[1]) if fingerprint else -1


@lru_cache(maxsize=64)
def _same(engine: Engine) -> Engine:
    """One engine for all that are equal, whose rules are checked once."""
    return engine


@lru_cache(maxsize=10_000)
def _rule(engine: Engine, text: str) -> Rule:
    return engine.rule(text)
