"""Time zones from the `tzdata` package alone, as one table of offsets for every engine; steps.

System zone files never take part, so a rule means the same on every machine that has the same
`tzdata`. Offsets are microseconds east of UTC.
"""

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from struct import unpack_from

from segment_engine.values.isotime import (
    DAY,
    EDGE,
    HOUR,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    MINUTE,
    SECOND,
    day_number,
    naive_microseconds,
    naive_of,
)
from segment_engine.values.isotime import (
    OutOfRange as OutOfRange,
)

# The Gregorian calendar, weekdays included, repeats after 400 years.
CYCLE_YEARS = 400
CYCLE = 146_097 * DAY

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}

RULE = re.compile(
    r"(?:<[^>]+>|[A-Za-z]+)(?P<standard>[-+0-9:]+)"
    r"(?:(?:<[^>]+>|[A-Za-z]+)(?P<summer>[-+0-9:]*),(?P<begin>[^,]+),(?P<end>[^,]+))?"
)


class UnknownZone(ValueError):
    """No such zone in `tzdata`; `nearest` holds up to three names that look like it."""

    def __init__(self, name: str, nearest: list[str]) -> None:
        super().__init__(f"unknown time zone {name!r}")
        self.name = name
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its IANA name. Make one with `zone(name)`, which knows the names."""

    name: str

    def transitions(self) -> tuple[list[int], list[int]]:
        """Instants (ascending, years 1 to 9999) and offsets, one more: before, between, after.

        The offset at `t` is `offsets[bisect_right(instants, t)]`. Both lists are shared: do not
        change them.
        """
        table = load(self.name)
        return table.instants, table.offsets

    def offset_at(self, instant: int) -> int:
        """Microseconds east of UTC at an instant."""
        table = load(self.name)
        return table.offsets[bisect_right(table.instants, instant)]

    def local_day(self, instant: int) -> int:
        """The day on the wall calendar; at the ends it may be one outside years 1 to 9999."""
        return (instant + self.offset_at(instant)) // DAY

    def local(self, instant: int) -> datetime:
        """The naive wall time; OutOfRange where that is outside the years 1 to 9999."""
        return naive_of(instant + self.offset_at(instant))

    def to_instant(self, local: datetime) -> int:
        """The instant of a naive wall time; at the ends it may lie just outside years 1 to 9999.

        A skipped wall time moves forward by the gap; of a repeated one it is the first.
        """
        table = load(self.name)
        wall = naive_microseconds(local)
        return wall - table.offsets[bisect_right(table.walls, wall)]

    def local_day_or_none(self, instant: int) -> int | None:
        """The local day, None less than two days from either end of the years 1 to 9999."""
        return self.local_day(instant) if has_local(instant) else None

    def local_hour_or_none(self, instant: int) -> int | None:
        """The local hour 0 to 23, None less than two days from either end of years 1 to 9999."""
        if not has_local(instant):
            return None
        return (instant + self.offset_at(instant)) % DAY // HOUR


def has_local(instant: int) -> bool:
    """Whether the instant is far enough from the ends to have a local day in every zone."""
    return MIN_INSTANT + EDGE <= instant <= MAX_INSTANT - EDGE


def zone(name: str) -> Zone:
    """The zone of an IANA name (case matters); UnknownZone with the nearest names otherwise."""
    if name not in zone_names():
        raise UnknownZone(name, nearest_names(name))
    return Zone(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone name of the `tzdata` package, links included."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def nearest_names(name: str, limit: int = 3) -> list[str]:
    """Zone names, or their last parts, that look like `name` whatever the case, best first."""
    spelled = {known.rpartition("/")[2].casefold(): known for known in sorted(zone_names())}
    spelled |= {known.casefold(): known for known in zone_names()}
    wanted = "_".join(name[:100].casefold().split())
    close = difflib.get_close_matches(wanted, sorted(spelled), n=2 * limit)
    return list(dict.fromkeys(spelled[spelling] for spelling in close))[:limit]


@lru_cache(maxsize=1)
def tzdata_version() -> str:
    """The release of the zone rules, such as `2026a`."""
    rules = files("tzdata").joinpath("zoneinfo", "tzdata.zi")
    with rules.open(encoding="utf-8") as lines:
        return lines.readline().removeprefix("# version").strip()


@dataclass(frozen=True, slots=True)
class Table:
    """Where the offset changes: as instants, and as wall times by the rule of `to_instant`."""

    instants: list[int]
    offsets: list[int]
    walls: list[int]


@lru_cache(maxsize=64)
def load(name: str) -> Table:
    """The table of a zone, read once."""
    path = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    first, changes, footer = read_tzif(path.read_bytes())
    last = changes[-1][0] if changes else MIN_INSTANT
    changes += [change for change in by_rule(footer, naive_of(last).year) if change[0] > last]
    instants: list[int] = []
    offsets = [first]
    walls: list[int] = []
    for instant, offset in changes:
        if offset != offsets[-1] and MIN_INSTANT < instant <= MAX_INSTANT:
            walls.append(instant + max(offset, offsets[-1]))
            instants.append(instant)
            offsets.append(offset)
    return Table(instants, offsets, walls)


def read_tzif(data: bytes) -> tuple[int, list[tuple[int, int]], str]:
    """First offset, (instant, new offset) pairs and footer of a TZif file (RFC 9636) from v2 on."""
    start = 44 + block_size(data, 0, 4)
    times, types = unpack_from(">2l", data, start + 32)
    at = start + 44
    instants = unpack_from(f">{times}q", data, at)
    kinds = data[at + 8 * times : at + 9 * times]
    offsets = [unpack_from(">l", data, at + 9 * times + 6 * i)[0] * SECOND for i in range(types)]
    footer = data[at + block_size(data, start, 8) :].decode("ascii").strip("\n")
    changes = [(t * SECOND, offsets[kind]) for t, kind in zip(instants, kinds, strict=True)]
    return offsets[0], changes, footer


def block_size(data: bytes, header: int, width: int) -> int:
    """Bytes of the data block after a TZif header whose times have `width` bytes."""
    counts: tuple[int, ...] = unpack_from(">6l", data, header + 20)
    universal, standard, leaps, times, types, letters = counts
    return times * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard + universal


def by_rule(footer: str, first_year: int) -> Iterator[tuple[int, int]]:
    """The offset changes that a POSIX TZ rule makes from a year to year 9999, ascending."""
    rule = RULE.fullmatch(footer)
    if rule is None:
        raise ValueError(f"no time zone rule: {footer!r}")
    if rule["begin"] is None:
        return
    standard = -clock(rule["standard"])
    summer = -clock(rule["summer"]) if rule["summer"] else standard + HOUR
    cycle = []
    for year in range(first_year, first_year + CYCLE_YEARS):
        cycle.append((rule_wall(rule["begin"], year) - standard, summer))
        cycle.append((rule_wall(rule["end"], year) - summer, standard))
    cycle.sort()
    for shift in range(0, MAX_INSTANT - cycle[0][0], CYCLE):
        yield from ((instant + shift, offset) for instant, offset in cycle)


def clock(text: str) -> int:
    """Microseconds of `[+-]h[:mm[:ss]]`."""
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    size = sum(part * unit for part, unit in zip(parts, (HOUR, MINUTE, SECOND), strict=False))
    return -size if text.startswith("-") else size


def rule_wall(text: str, year: int) -> int:
    """The wall time of `Mm.w.d[/time]` in a year, in microseconds; w = 5 is the last week."""
    spec, _, time = text.partition("/")
    month, week, weekday = (int(part) for part in spec.removeprefix("M").split("."))
    first = day_number(date(year, month, 1))
    # Day 0 of the calendar is a Thursday, which the rule counts as 4.
    day = first + (weekday - first - 4) % 7 + 7 * (week - 1)
    late = day >= first + month_days(year, month)
    return (day - 7 if late else day) * DAY + clock(time or "2")


def step(local: datetime, n: int, unit: str) -> datetime:
    """The wall time `n` days, weeks, months, quarters or years later (earlier if negative).

    Month ends clamp: 31 January plus a month is the last of February. OutOfRange where that
    leaves the years 1 to 9999.
    """
    try:
        if unit in DAYS:
            return local + timedelta(days=n * DAYS[unit])
        year, month = divmod(month_index(local) + n * MONTHS[unit], 12)
        day = min(local.day, month_days(year, month + 1))
        return local.replace(year=year, month=month + 1, day=day)
    except (OverflowError, ValueError) as error:
        raise OutOfRange("the step leads outside the years 1 to 9999") from error


def period(kind: str, containing: date, offset: int) -> tuple[int, int]:
    """First day and exclusive end of the period `offset` periods after the one with that date.

    Weeks begin on Monday; the last one ends with year 9999. OutOfRange where the first day is
    outside the years 1 to 9999.
    """
    if kind in DAYS:
        weekday = containing.weekday() if kind == "week" else 0
        start = day_number(containing) - weekday + offset * DAYS[kind]
        end = min(start + DAYS[kind], MAX_DAY + 1)
    else:
        first = (month_index(containing) // MONTHS[kind] + offset) * MONTHS[kind]
        start, end = month_start(first), month_start(first + MONTHS[kind])
    if not MIN_DAY <= start <= MAX_DAY:
        raise OutOfRange("the period lies outside the years 1 to 9999")
    return start, end


def month_index(value: date) -> int:
    """Months since January of year 0."""
    return value.year * 12 + value.month - 1


def month_start(index: int) -> int:
    """The first day of the month `index` months after January of year 0, on any side of it."""
    cycles, month = divmod(index, 12 * CYCLE_YEARS)
    # Year 400 stands for year 0, which `date` does not have.
    year, month = divmod(month + 12 * CYCLE_YEARS, 12)
    return day_number(date(year, month + 1, 1)) + (cycles - 1) * (CYCLE // DAY)


def month_days(year: int, month: int) -> int:
    """Days in a month of any year, January = 1."""
    return month_start(year * 12 + month) - month_start(year * 12 + month - 1)
