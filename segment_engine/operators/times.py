"""Time. Literals become windows before an engine sees them; engines never read a clock."""

from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.values import calendar
from segment_engine.values.types import ANNIVERSARY, NUMBER

SAME = {"time": Right.SAME}
LASTS = {"time": Right.DURATION, "anniversary": Right.DURATION}

ROWS = (
    Operator(
        name="on",
        shape=Shape.INFIX,
        words=("on",),
        negated=("not on",),
        takes={**SAME, "anniversary": Right.LITERAL},
        years=True,
        doc="The time lies inside the day or period.",
        missing="false, so `not on` keeps them",
        examples=("lastOrderAt on 2026-01-31",),
        json=("on",),
        json_negated=("notOn",),
        api="ON",
        expand=lambda make, x, y: make("eq", x, y),
    ),
    Operator(
        name="during",
        shape=Shape.INFIX,
        words=("during",),
        negated=("not during",),
        takes={**SAME, "anniversary": Right.LITERAL},
        years=True,
        doc="The time lies inside the period; the same as `on`.",
        missing="false, so `not during` keeps them",
        examples=("lastOrderAt during last month", "createdAt during 2026"),
        json=("during",),
        json_negated=("notDuring",),
        api="DURING",
        expand=lambda make, x, y: make("eq", x, y),
    ),
    Operator(
        name="before",
        shape=Shape.INFIX,
        words=("before",),
        takes=SAME,
        years=True,
        doc="The time lies before the day or period starts; the same as `<`.",
        missing="false",
        examples=("createdAt before 2026-01-01",),
        json=("before",),
        api="BEFORE",
        expand=lambda make, x, y: make("lt", x, y),
    ),
    Operator(
        name="after",
        shape=Shape.INFIX,
        words=("after",),
        takes=SAME,
        years=True,
        doc="The time lies after the day or period ends; the same as `>`.",
        missing="false",
        examples=("createdAt after this quarter", "lastOrderAt after 2025"),
        json=("after",),
        api="AFTER",
        expand=lambda make, x, y: make("gt", x, y),
    ),
    Operator(
        name="within_last",
        shape=Shape.LASTING,
        words=("within last",),
        negated=("not within last",),
        takes=LASTS,
        doc="From that long before as-of to as-of, both included; not in the future.",
        missing="false, so `not within last` keeps them",
        examples=("lastOrderAt within last 30 days",),
        json=("withinLast",),
        json_negated=("notWithinLast",),
        api="WITHIN_LAST",
    ),
    Operator(
        name="within_next",
        shape=Shape.LASTING,
        words=("within next",),
        negated=("not within next",),
        takes=LASTS,
        doc="From as-of to that long after it, both included.",
        missing="false, so `not within next` keeps them",
        examples=("anniversary of createdAt within next 7 days",),
        json=("withinNext",),
        json_negated=("notWithinNext",),
        api="WITHIN_NEXT",
    ),
    Operator(
        name="older_than",
        shape=Shape.LASTING,
        words=("older than",),
        negated=("not older than",),
        takes={"time": Right.DURATION},
        doc="Strictly before as-of minus that long.",
        missing="false, so `not older than` keeps them",
        examples=("lastOrderAt older than 60 days",),
        json=("olderThan",),
        json_negated=("notOlderThan",),
        api="OLDER_THAN",
    ),
    Operator(
        name="anniversary",
        shape=Shape.PREFIX,
        words=("anniversary of",),
        takes={"time": Right.NOTHING},
        gives=ANNIVERSARY,
        doc="The yearly returns of the day: some anniversary day meets the interval.",
        missing="missing",
        examples=("anniversary of createdAt = today",),
    ),
    *(
        Operator(
            name=name,
            shape=Shape.FUNCTION,
            words=(name,),
            takes={"time": Right.NOTHING},
            gives=NUMBER,
            doc=doc,
            missing="missing",
            examples=(example,),
        )
        for name, doc, example in (
            ("year", "The calendar year.", "year(createdAt) = 2026"),
            ("quarter", "The quarter of the year, 1 to 4.", "quarter(createdAt) in (1, 4)"),
            ("month", "The month, 1 to 12.", "month(lastOrderAt) = 12"),
            ("day", "The day of the month, 1 to 31.", "day(createdAt) <= 7"),
            ("weekday", "The day of the week, Monday 1 to Sunday 7.", "weekday(createdAt) >= 6"),
            ("hour", "The hour, 0 to 23; missing for a date.", "hour(lastOrderAt) < 9"),
        )
    ),
    # The time lies inside the window.
    Operator(
        name="in_window",
        shape=Shape.HIDDEN,
        python=lambda x, window: window.holds(x),
    ),
    # -1, 0 or 1: how two times lie to one another; a day and an instant by local day.
    Operator(
        name="time_order",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        python=calendar.order,
    ),
    # The instant that an ISO 8601 datetime spells, in microseconds.
    Operator(
        name="iso_instant",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        native=lambda dialect, text: dialect.iso_instant(text),
    ),
    # The day that an ISO 8601 date spells, as a number.
    Operator(
        name="iso_day",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        native=lambda dialect, text: dialect.iso_day(text),
    ),
    # The number of the local day.
    Operator(
        name="local_day",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        python=calendar.local_day,
        native=lambda dialect, x, zone: dialect.local_day(x, zone),
    ),
    # The local hour.
    Operator(
        name="local_hour",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        python=calendar.local_hour,
        native=lambda dialect, x, zone: dialect.local_hour(x, zone),
    ),
    *(
        # The part of a day number.
        Operator(
            name=f"{part}_of_day",
            shape=Shape.HIDDEN,
            gives=NUMBER,
            python=getattr(calendar, f"{part}_of_day"),
            native=lambda dialect, day, part=part: dialect.part(part, day),
        )
        for part in ("year", "quarter", "month", "day", "weekday")
    ),
    # Month * 100 + day of a day number: 229 is 29 February.
    Operator(
        name="monthday_of_day",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        python=calendar.monthday_of_day,
        native=lambda dialect, day: dialect.monthday(day),
    ),
)
