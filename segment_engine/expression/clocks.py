"""The instant and the zone of a run, from what a caller passes."""

import time
from datetime import date, datetime

from segment_engine.errors import RunError
from segment_engine.values.isotime import instant_of, parse_iso, read_datetime
from segment_engine.values.moments import Clock
from segment_engine.values.zones import UnknownZone, Zone, zone


def named_zone(name: str) -> Zone:
    """The zone of an IANA name; RunError with the nearest names."""
    try:
        return zone(name)
    except UnknownZone as fault:
        near = f"; did you mean {', '.join(fault.nearest)}?" if fault.nearest else ""
        raise RunError(f"there is no time zone {name!r}{near}") from None


def clock_at(as_of: datetime | str | None, at_zone: Zone) -> Clock:
    """The clock of a run; None is now."""
    if as_of is None:
        return Clock(time.time_ns() // 1_000, at_zone)
    if isinstance(as_of, str):
        return Clock(_read(as_of, at_zone), at_zone)
    if not isinstance(as_of, datetime) or as_of.tzinfo is None:
        raise RunError("as_of wants a datetime with a time zone, or ISO 8601 text")
    return Clock(_within_years(instant_of(as_of), str(as_of)), at_zone)


def _read(text: str, at_zone: Zone) -> int:
    found = parse_iso(text.strip())
    if isinstance(found, date):
        midnight = datetime(found.year, found.month, found.day)
        return _within_years(at_zone.to_instant(midnight), text)
    parts = read_datetime(text.strip())
    if found is None or parts is None:
        raise RunError(f"as_of {text!r} is no ISO 8601 time such as 2026-01-31T10:00:00Z")
    local, offset = parts
    return _within_years(found if offset is not None else at_zone.to_instant(local), text)


def _within_years(instant: int | None, text: str) -> int:
    if instant is None:
        raise RunError(f"as_of {text} lies outside the years 1 to 9999")
    return instant
