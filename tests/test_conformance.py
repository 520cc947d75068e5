"""What rules mean: every case of conformance/*.yaml on every engine; the README there is the key.

Each rule is run as it stands and as its complement, and read back from its canonical text, its JSON
and, where they can say it, its rule rows.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import yaml

from segment_engine import Engine, RuleError, Schema
from segment_engine.backends.sql import identifier
from segment_engine.batch.memberships import Memberships
from segment_engine.expression.nodes import Call, walk
from segment_engine.operators.row import Shape
from segment_engine.operators.table import TABLE, operator
from segment_engine.rule import Rule
from segment_engine.values.types import TRUTH, Type

FOLDER = Path(__file__).parent / "conformance"
ENGINES = ("duckdb", "polars", "records")


class PlainLoader(yaml.CSafeLoader):
    """YAML in which all but null, true, false and numbers is text: also `on` and 2026-01-31."""


PlainLoader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("null", r"null|", ["n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", [*"-0123456789"]),
    ("float", r"-?(?:[0-9]+\.[0-9]+(?:e[+-][0-9]+)?|\.inf|\.nan)", [*"-.0123456789"]),
):
    PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_form})\Z"), _first
    )


# ---- consumers as they are stored

BITS, UNITS = (8, 16, 32, 64), ("s", "ms", "us", "ns")
SCALARS: dict[str, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    **{f"int{bits}": getattr(pa, f"int{bits}")() for bits in BITS},
    **{f"uint{bits}": getattr(pa, f"uint{bits}")() for bits in BITS},
    **{f"timestamp_{unit}": pa.timestamp(unit) for unit in UNITS},
    **{f"timestamptz_{unit}": pa.timestamp(unit, "UTC") for unit in UNITS},
}
DEFAULTS = {
    "text": "text",
    "currency": "decimal(18,2)",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamptz_us",
    "any": "json",
}
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def arrow_type(name: str) -> pa.DataType:
    """The type that a storage names, such as `struct{tier: text, tags: list<text>}`."""
    if name in SCALARS:
        return SCALARS[name]
    kind, inside = re.fullmatch(r"(\w+)[<{(](.*)[>})]", name).groups()  # type: ignore[union-attr]
    parts = [part.strip() for part in re.findall(r"(?:[^,<{(]|[<{(][^>})]*[>})])+", inside)]
    if kind == "decimal":
        return pa.decimal128(*map(int, parts))
    if kind == "struct":
        return pa.struct([(key, arrow_type(of)) for key, of in (p.split(": ", 1) for p in parts)])
    return {"list": pa.list_, "map": pa.map_}[kind](*map(arrow_type, parts))


def default_type(kind: Type, values: Iterable[Any]) -> pa.DataType:
    """How a column of a schema type is stored where the group does not say."""
    if kind.element is not None:
        elements = (element for value in values for element in value or ())
        return pa.list_(default_type(kind.element, elements))
    if kind.name == "number":
        return pa.float64() if any(isinstance(value, float) for value in values) else pa.int64()
    return arrow_type(DEFAULTS[kind.name])


def spelt_out(value: Any) -> Any:
    """A long text from its pieces: `{pieces: ["a", {repeat: "b{n}", times: 3}]}`."""
    match value:
        case {"pieces": pieces}:
            return "".join(map(spelt_out, pieces))
        case {"repeat": text, "times": times}:
            return "".join(text.replace("{n}", str(n)) for n in range(1, times + 1))
    return value


def stored(value: Any, kind: pa.DataType) -> Any:
    """A value of the data files as pyarrow takes it for a column of that type."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind) and isinstance(value, str):
        return nanoseconds(value) // NANOSECONDS[kind.unit]
    if pa.types.is_date(kind):
        return date.fromisoformat(value)
    if pa.types.is_decimal(kind):
        return Decimal(str(value))
    if pa.types.is_list(kind):
        return [stored(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: stored(value.get(field.name), field.type) for field in kind}
    if pa.types.is_map(kind):
        return list(value.items())
    if pa.types.is_string(kind) and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of an ISO text, without a zone UTC."""
    wall, fraction, zone = re.fullmatch(  # type: ignore[union-attr]
        r"([^.Z+]{10,19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", text
    ).groups()
    since = datetime.fromisoformat(wall + (zone or "Z")) - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + int((fraction or "").ljust(9, "0"))


def plain(value: Any, kind: Type) -> Any:
    """A value of the data files as Python code would hold it."""
    if value is None:
        return None
    if kind.element is not None:
        return [plain(item, kind.element) for item in value]
    if kind.name == "datetime":
        return datetime.fromisoformat(value)
    if kind.name == "date":
        return date.fromisoformat(value)
    return Decimal(str(value)) if kind.name == "currency" else value


# ---- groups and cases


KEPT = "kept snapshot"
"""The engine of that name, asked a second time of what it has written."""


class Group:
    """Consumers under a schema, a zone and an instant, and the cases that are asked of them."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name, self.given = name, given
        self.as_of: str = given.get("as_of", "2026-07-01T12:00:00Z")
        self.storage: Mapping[str, str] = given.get("storage", {})
        self.consumers: dict[str, dict[str, Any]] = {
            name: {column: spelt_out(value) for column, value in fields.items()}
            for name, fields in given["consumers"].items()
        }
        self.cases = [Case(self, number, case) for number, case in enumerate(given["cases"])]
        self._runs: dict[str, Memberships] = {}

    @cached_property
    def engine(self) -> Engine:
        schema = Schema(self.given["schema"]) if "schema" in self.given else None
        return Engine(schema=schema, timezone=self.given.get("zone", "UTC"))

    @cached_property
    def columns(self) -> dict[str, Type]:
        """The schema type of each source column."""
        specs = self.engine.schema.specs.values()
        return {spec.column: spec.type for spec in specs if not spec.path and not spec.derived}

    @cached_property
    def table(self) -> pa.Table:
        arrays: dict[str, Any] = {"id": list(self.consumers)}
        for column, kind in self.columns.items():
            values = [consumer.get(column) for consumer in self.consumers.values()]
            named = self.storage.get(column)
            wanted = arrow_type(named) if named else default_type(kind, values)
            arrays[column] = pa.array([stored(value, wanted) for value in values], wanted)
        return pa.table(arrays)

    @cached_property
    def dicts(self) -> dict[str, dict[str, Any]]:
        """Each consumer as a plain dict, for `Rule.matches`."""
        return {
            name: {column: plain(value, self.columns[column]) for column, value in fields.items()}
            for name, fields in self.consumers.items()
        }

    @cached_property
    def asked(self) -> dict[str, Any]:
        """All right rules of the group and their complements, and its audiences."""
        rules = {
            f"{way} {case.number}": rule
            for case in self.cases
            if "members" in case.given
            for way, rule in case.rules.items()
        }
        return rules | self.given.get("audiences", {})

    @cached_property
    def at_once(self) -> dict[str, set[str]]:
        """The keys of each consumer's audiences, from one function for all of them."""
        lists = self.given.get("lists")
        keys_of = self.engine.matcher(self.asked, as_of=self.as_of, lists=lists)
        return {name: set(keys_of({**person, "id": name})) for name, person in self.dicts.items()}

    def run(self, engine: str) -> Memberships:
        """All right rules of the group and their complements, in one run."""
        if engine not in self._runs:
            with TemporaryDirectory() as folder:
                kept = {"engine": "snapshot", "snapshot": f"{folder}/snapshot"}
                for how in [kept, kept] if engine == KEPT else [{"engine": engine}]:
                    self._runs[engine] = self.engine.materialize(
                        self.asked,
                        self.table,
                        as_of=self.as_of,
                        lists=self.given.get("lists"),
                        **how,
                    )
        return self._runs[engine]


class Case:
    """One rule, and whom it keeps or what is wrong with it."""

    def __init__(self, group: Group, number: int, given: Mapping[str, Any]) -> None:
        self.group, self.number, self.given = group, number, given

    @cached_property
    def source(self) -> Any:
        """The rule as text, as query-builder JSON, or as rule rows."""
        (written,) = (self.given[key] for key in ("rule", "query", "rows") if key in self.given)
        return spelt_out(written)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The rule and, where limits allow it, its complement."""
        ways = {"members": self.source, "complement": self._complement()}
        if not self.given.get("complement", True):
            del ways["complement"]
        return {way: self.group.engine.rule(rule) for way, rule in ways.items()}

    def _complement(self) -> Any:
        if "rule" in self.given:
            return f"not (\n{self.source}\n)"
        if "rows" in self.given:
            return f"not ({self.group.engine.rule(self.source).text})"
        query = json.loads(self.source) if isinstance(self.source, str) else self.source
        return {"combinator": "and", "not": True, "rules": [query]}

    def kept(self, way: str, engine: str) -> set[str]:
        """Whom an engine keeps; "matches" and "matcher" are asked dict by dict."""
        if engine == "embedded duckdb" or engine == "embedded polars":
            return self._embedded(way, engine.removeprefix("embedded "))
        if engine == "matcher":
            key = f"{way} {self.number}"
            return {name for name, keys in self.group.at_once.items() if key in keys}
        if engine != "matches":
            return set(self.group.run(engine).members(f"{way} {self.number}"))
        rule = self.rules[way]
        keeps = rule.predicate(as_of=self.group.as_of)
        if not rule.audiences:
            return {name for name, consumer in self.group.dicts.items() if keeps(consumer)}
        run = self.group.run("records")
        known = {key: frozenset(run.members(key)) for key in rule.audiences}
        return {
            name
            for name, consumer in self.group.dicts.items()
            if keeps(consumer, {key: name in ids for key, ids in known.items()})
        }

    @property
    def engines(self) -> tuple[str, ...]:
        """What is to give the same members."""
        asked = (*ENGINES, KEPT) if self.group.storage else (*ENGINES, KEPT, "matches", "matcher")
        refers = bool(self.rules["members"].audiences)
        return (*asked, *(f"embedded {name}" for name in ("duckdb", "polars") if refers))

    def _embedded(self, way: str, engine: str) -> set[str]:
        """A condition in a query of one's own, where audiences are columns."""
        rule, table, run = self.rules[way], self.group.table, self.group.run("records")
        for key in rule.audiences:
            member = pa.array([name in run.members(key) for name in self.group.consumers])
            table = table.append_column(f"in {key}", member)
        if engine == "polars":
            given = {key: pl.col(f"in {key}") for key in rule.audiences}
            kept = rule.polars(self.group.as_of, table, given)
            return set(pl.DataFrame(table).filter(kept)["id"])
        given_sql = {key: identifier(f"in {key}") for key in rule.audiences}
        where = rule.sql(as_of=self.group.as_of, source=table, audiences=given_sql)
        consumers = table  # the name by which DuckDB finds it  # noqa: F841
        return {
            name for (name,) in duckdb.sql(f"select id from consumers where {where}").fetchall()
        }

    def __str__(self) -> str:
        return f"{self.group.name}:{str(self.source)[:80]}"


CASES = [
    case
    for path in sorted(FOLDER.glob("*.yaml"))
    for number, given in enumerate(yaml.load(path.read_text("utf-8"), PlainLoader), 1)
    for case in Group(f"{path.stem}:{number}", given).cases
]
RIGHT = [case for case in CASES if "members" in case.given]
WRONG = [case for case in CASES if "error" in case.given]
ONE_OF_ANY = re.compile(r" (not )?contains any \(([^,()]+)\)")


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_members(case: Case) -> None:
    """Every engine keeps exactly the members, and exactly the others where the rule is negated."""
    group, members = case.group, set(case.given["members"])
    everybody = set(group.consumers)
    assert members <= everybody, "the case names consumers that its group does not have"
    told = [f"{case}\n  {group.given['about']}"]
    for way in case.rules:
        wanted = members if way == "members" else everybody - members
        for engine in case.engines:
            kept = case.kept(way, engine)
            told += [f"  {engine}, {way}: wrongly keeps {one}" for one in sorted(kept - wanted)]
            told += [f"  {engine}, {way}: wrongly drops {one}" for one in sorted(wanted - kept)]
    assert len(told) == 1, "\n".join(told)


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_spellings(case: Case) -> None:
    """Text, JSON and rows read back as the same expression, and so keep the same members."""
    rule, engine, given = case.rules["members"], case.group.engine, case.given
    assert rule.text == given.get("text", rule.text)
    assert rule.hash == (engine.rule(given["same"]) if "same" in given else rule).hash
    assert engine.rule(rule.text) == rule
    assert engine.rule(json.loads(json.dumps(rule.to_json()))) == rule
    rows = in_rows(rule)
    if rows is not None:
        again = engine.rule(json.loads(json.dumps(rows)))
        assert again == engine.rule(ONE_OF_ANY.sub(r" \1contains \2", rule.text))
        assert again.hash == rule.hash
        assert again.to_rows() == rows


def in_rows(rule: Rule) -> list[dict[str, Any]] | None:
    """The rule as rule rows, None where they cannot say it."""
    try:
        return rule.to_rows()
    except RuleError as error:
        assert {item.code for item in error.diagnostics} == {"not-in-rows"}
        return None


@pytest.mark.parametrize("group", {case.group: None for case in RIGHT}, ids=lambda one: one.name)
def test_hashes(group: Group) -> None:
    """Rules of one group that keep other members have another content, and another hash."""
    kept: dict[str, list[str]] = {}
    for case in group.cases:
        if "members" in case.given:
            members = kept.setdefault(case.rules["members"].hash, case.given["members"])
            assert members == case.given["members"], str(case)


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_errors(case: Case) -> None:
    """The rule is refused with exactly these codes, at these places, with these fixes."""
    for error in _refusals(case):
        errors = [item for item in error.diagnostics if item.severity == "error"]
        assert [item.code for item in errors] == _several(case.given["error"])
        if "at" in case.given:
            assert [_place(item.span, case.source) for item in errors] == _several(case.given["at"])
        if "fix" in case.given:
            assert [fix.replacement for fix in errors[0].fixes] == case.given["fix"]


def _refusals(case: Case) -> list[RuleError]:
    """What checking the rule raises; with `when: run`, what each engine raises."""
    group = case.group
    if case.given.get("when") != "run":
        return [_raised(lambda: group.engine.rule(case.source))]
    rule = group.engine.rule(case.source)
    return [
        *(_raised(lambda e=e: rule.members(group.table, group.as_of, e)) for e in ENGINES),
        _raised(lambda: rule.matches({}, group.as_of)),
    ]


def _raised(run: Callable[[], object]) -> RuleError:
    with pytest.raises(RuleError) as raised:
        run()
    return raised.value


def _several(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _place(span: Any, source: Any) -> str:
    return span.path if hasattr(span, "path") else source[span.start : span.end]


def test_every_operator_occurs() -> None:
    """Every row that can be written has a case, and every truth a case that negates it."""
    found, negated = set(), set()
    for case in RIGHT:
        nodes = list(walk(case.rules["members"].expression))
        calls = [node for node in nodes if isinstance(node, Call)]
        found.update(call.op for call in calls)
        inner = (call.args[0] for call in calls if call.op is operator("not"))
        negated.update(node.op for node in inner if isinstance(node, Call))
    rows = [row for row in TABLE.values() if row.shape is not Shape.HIDDEN]
    assert [row.name for row in rows if row not in found] == []
    assert [row.name for row in rows if row.gives is TRUTH and row not in negated] == []


def test_every_operator_of_rows_occurs() -> None:
    """Every name that rule rows have is the operator of a row that somebody wrote."""
    sources = [case.source for case in RIGHT if "rows" in case.given]
    written = {row["operator"] for rows in sources if isinstance(rows, list) for row in rows}
    assert written == {name for op in TABLE.values() for name in (op.api, op.api_negated) if name}
    assert sum(in_rows(case.rules["members"]) is not None for case in RIGHT) >= 1000


def test_there_are_enough_cases() -> None:
    """At least 500, each asked once in its group."""
    assert len(CASES) >= 500
    assert len({(case.group.name, str(case.given)) for case in CASES}) == len(CASES)
