"""Query-builder JSON that is written: the library's shape, and the inverse of the text."""

import json

import pytest

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.language.parse import parse
from segment_engine.language.query_builder import read, write
from tests.language.query_builder_schema import SCHEMA


def test_writes_the_shape_of_the_library() -> None:
    text = (
        'not (totalOrders > metadata.n or email not in ("a") ignoring case) and not false and '
        "lastOrderAt within last 30 days and metadata.seen = 30 days ago and phone is missing and "
        "totalOrders between 1 and 9007199254740993 and metadata.n = 12345678901234567.89"
    )
    expr = parse(text, SCHEMA, Log())
    assert expr is not None
    assert write(expr) == {
        "combinator": "and",
        "not": False,
        "rules": [
            {
                "combinator": "or",
                "not": True,
                "rules": [
                    {
                        "field": "totalOrders",
                        "operator": ">",
                        "value": "metadata.n",
                        "valueSource": "field",
                    },
                    {"field": "email", "operator": "notIn", "value": ["a"], "ignoreCase": True},
                ],
            },
            {
                "combinator": "and",
                "not": True,
                "rules": [{"field": "true", "operator": "=", "value": False}],
            },
            {"field": "lastOrderAt", "operator": "withinLast", "value": "30 days"},
            {"field": "metadata.seen", "operator": "=", "value": {"datetime": "30 days ago"}},
            {"field": "phone", "operator": "null", "value": None},
            {"field": "totalOrders", "operator": "between", "value": [1, "9007199254740993"]},
            {"field": "metadata.n", "operator": "=", "value": {"number": "12345678901234567.89"}},
        ],
    }


TEXTS = r"""
true
false
not true
not not false
true and not (false or true)
subscribed
not subscribed
metadata.flag
not metadata.flag = false
email = "a"
email != "a" ignoring case
email is not "~"
email < "M"
not email >= "M"
email = ""
email = "a \"quoted\" \\ back\nline \u00E9 \u0007, comma"
email = phone
email != metadata.address
email in ("a", "b, c", "~")
email not in ("a") ignoring case
email in ("1", "2026-01-31")
email contains "x"
email not contains "X" ignoring case
email contains any ("x", "y")
email not contains all ("x", "y") ignoring case
email starts with "x"
email not starts with "x"
email ends with "x" ignoring case
email not ends with "x"
email matches "^\"[a-z,]+\\$"
email not matches "a{2,3}|b"
phone exists
phone is missing
not phone is missing
phone is empty
phone is not empty
metadata is missing
domain(email) = "example.com"
totalOrders = 3
totalOrders != -3
not (totalOrders > 3)
not not not (totalOrders > 3)
totalOrders = 9007199254740993
totalOrders = 18014398509481984
totalOrders = 99999999999999999999999999999999999999
totalOrderValue <= 0.1
totalOrderValue = 12345678901234567.89
totalOrderValue in (0.1, 12345678901234567.89, 1)
totalOrders in (1, 2, 3)
totalOrders between 1 and 2
totalOrders not between -2 and 1.5
totalOrders between metadata.low and metadata.high
totalOrders between metadata.low and 10
totalOrders between 0.10 and `between`
totalOrders > `order total`
`order total` > `between` and `2026-01` = 5
totalOrders between `2026-01` and 5
averageOrderValue >= 50
totalOrderValue / totalOrders >= 50
(totalOrders + 1) * -`order total` - 2 > metadata.points / 3
totalOrders > metadata["a.b"][0].c
-totalOrders < 5
subscribed = metadata.flag
tags contains "a"
tags not contains "a" ignoring case
tags contains any ("a", "b")
scores contains 12345678901234567.89
visits contains last month
visits contains any (today, 2026-01)
metadata.tags contains "a"
metadata.tags contains 5
metadata.tags contains 2026-01-31
metadata.tags contains any ("a", 5, true)
metadata.x = 5
metadata.x = "5"
metadata.x = true
metadata.x != 12345678901234567.89
metadata.x = 2026-01-31
metadata.x = "2026-01-31"
metadata.x in ("a", 1, false, today)
metadata.x between 1 and 12345678901234567.89
metadata.x between 2026-01-01 and now
metadata.x > totalOrderValue
metadata.x matches "^a"
metadata.x within last 3 hours
metadata.x before 2026
metadata["key with, \"quotes\""].x exists
number(metadata.x) > metadata.points
datetime(metadata.x) older than 2 years
metadata.points = 5
lastOrderAt = 2026-01-31
lastOrderAt != 2026-01-31T10:00:00
lastOrderAt > 2026-01-31T10:00:00.123456+02:00
lastOrderAt < now
lastOrderAt >= 3 hours ago
lastOrderAt <= 2 weeks from now
lastOrderAt on yesterday
lastOrderAt not on 2026
lastOrderAt during last quarter
lastOrderAt not during 2026-02
lastOrderAt before 1999
lastOrderAt after this year
lastOrderAt > createdAt
birthday < createdAt
lastOrderAt in (today, 2026-01, last year)
lastOrderAt between 2026-01 and tomorrow
lastOrderAt not between createdAt and 2026-01-31
lastOrderAt within last 1 day
lastOrderAt not within next 90 minutes
lastOrderAt older than 60 days
not lastOrderAt not older than 60 days
anniversary of birthday = today
anniversary of createdAt within next 7 days
anniversary of metadata.born between today and 7 days from now
year(createdAt) = 2026
month(metadata.x) in (1, 12)
hour(lastOrderAt) not between 9 and 17
email = "a" and (phone exists or not (tags contains "x" and (true or false)))
(email = "a" or phone exists) and (phone exists or email = "a") and true
not (email = "a" and phone exists) or not (email = "a" or phone exists)
"""


@pytest.mark.parametrize("text", TEXTS.strip().splitlines())
def test_inverts_the_text(text: str) -> None:
    log = Log()
    expr = parse(text, SCHEMA, log)
    assert expr is not None and not log.failed, log.found
    query = write(expr)
    again = read(json.dumps(query, allow_nan=False), SCHEMA, log)
    assert again == expr, (query, log.found)
    assert read(query, SCHEMA, log) == expr
    assert write(again) == query
