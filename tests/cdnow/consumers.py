"""CDNOW purchases turned into consumers: one row a customer, with metadata made from the data."""

import calendar
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PURCHASES = Path(__file__).with_name("CDNOW_master.txt")
AUDIENCES = Path(__file__).with_name("audiences.yaml")
AS_OF = "1998-07-01T00:00:00-04:00"
TIMEZONE = "America/New_York"

Json = dict[str, object]

COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("externalId", pa.string()),
        ("totalOrders", pa.int64()),
        ("totalOrderValue", pa.decimal128(18, 2)),
        ("lastOrderAt", pa.date32()),
        ("createdAt", pa.date32()),
        ("metadata", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file: `value` in dollars, exact."""

    customer: str
    on: date
    cds: int
    value: Decimal

    @property
    def quarter(self) -> str:
        return f"{self.on.year}Q{(self.on.month + 2) // 3}"

    @property
    def in_holidays(self) -> bool:
        return (self.on.year, self.on.month) in {(1997, 11), (1997, 12)}


def read_purchases(path: Path = PURCHASES) -> list[Purchase]:
    """Every purchase, in the order of the file."""
    lines = path.read_text(encoding="ascii").splitlines()[1:]
    return [
        Purchase(customer, datetime.strptime(day, "%Y%m%d").date(), int(cds), Decimal(value))
        for customer, day, cds, value in map(str.split, lines)
    ]


def consumers(purchases: Sequence[Purchase]) -> pa.Table:
    """One row a customer, ordered by id, with the columns of `COLUMNS`."""
    by_customer: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        by_customer[purchase.customer].append(purchase)
    rows = [_consumer(customer, by_customer[customer]) for customer in sorted(by_customer)]
    return pa.Table.from_pylist(rows, schema=COLUMNS)


def write_consumers(path: Path) -> Path:
    """Write the consumers as Parquet to `path`, making its folder; gives `path` back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(consumers(read_purchases()), path)
    return path


def _consumer(customer: str, purchases: list[Purchase]) -> Json:
    bought = sorted(purchases, key=attrgetter("on"))
    return {
        "id": customer,
        "externalId": customer,
        "totalOrders": len(bought),
        "totalOrderValue": sum(p.value for p in bought),
        "lastOrderAt": bought[-1].on,
        "createdAt": bought[0].on,
        "metadata": json.dumps(_metadata(bought), separators=(",", ":")),
    }


def _metadata(bought: list[Purchase]) -> Json:
    """What is known of one customer, purchases in date order; what does not apply has no key."""
    days = [_basket(list(day)) for _, day in groupby(bought, key=attrgetter("on"))]
    always: Json = {
        "favouriteMonth": _favourite_month(bought),
        "cds": sum(p.cds for p in bought),
        "activeQuarters": sorted({p.quarter for p in bought}),
        "orderSizes": sorted({p.cds for p in bought}),
        "largestOrder": _number(max(p.value for p in bought)),
        "firstDay": days[0],
        "recentDays": days[:-4:-1],
        "spend": _spend(bought),
        "repeat": len(bought) > 1,
    }
    return always | _return_visits(bought) | _holidays(bought)


def _basket(bought: list[Purchase]) -> Json:
    return {
        "on": bought[0].on.isoformat(),
        "cds": sum(p.cds for p in bought),
        "value": _total(bought),
    }


def _favourite_month(bought: list[Purchase]) -> str:
    months = Counter(p.on.month for p in bought)
    return calendar.month_name[min(months, key=lambda month: (-months[month], month))]


def _spend(bought: list[Purchase]) -> Json:
    return {quarter: _total(list(some)) for quarter, some in groupby(bought, attrgetter("quarter"))}


def _return_visits(bought: list[Purchase]) -> Json:
    second: Json = {"secondOrderOn": bought[1].on.isoformat()} if len(bought) > 1 else {}
    gaps = [(later.on - earlier.on).days for earlier, later in pairwise(bought)]
    return second | ({"longestGap": max(gaps)} if any(gaps) else {})


def _holidays(bought: list[Purchase]) -> Json:
    holidays = [p for p in bought if p.in_holidays]
    return {"holiday1997": _basket(holidays)} if holidays else {}


def _total(bought: list[Purchase]) -> float | int:
    return _number(sum((p.value for p in bought), Decimal()))


def _number(value: Decimal) -> float | int:
    return int(value) if value == int(value) else float(value)
