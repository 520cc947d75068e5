"""The walls of the architecture: what may import what, who makes calls, who reads a clock."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from segment_engine import Engine, Schema
from segment_engine.backends.json_sql import only_a_string
from segment_engine.expression.schema import DEFAULT_FIELDS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "segment_engine"
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}

MODULES = dict.fromkeys(
    "segment_engine." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for name in FILES
)

ORDER = (
    *("values", "operators", "display", "diagnostics", "errors", "expression", "language"),
    *("garbage", "backends", "batch", "parts", "rule", "engine", "catalog", "discovery"),
    "webhooks",
    *("testing", "pytest_plugin", "syncing", "store", "api", "cli"),
)
"""A room imports from its own and from rooms before it. `parts` names modules as text."""

EARLIER = {("display", "parts"), ("backends", "parts"), ("batch", "parts")}
"""What is named out of order: `parts` imports nothing itself."""


def imports(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports when it runs."""
    skipped = {id(node) for block in _typing_blocks(tree) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ({name if name in MODULES else node.module for name in inside})


def _typing_blocks(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield node


def room(name: str) -> str:
    return name.removesuffix(".py").split("/")[0].split(".")[0]


def test_only_build_and_what_comes_after_it_make_calls() -> None:
    makers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Call", "nodes.Call")
    }
    checked = {"expression/build.py", "expression/slips.py"}
    after = {"expression/resolve.py", "expression/normal.py"}
    assert {name for name in makers if room(name) != "backends"} <= checked | after


def test_only_parse_imports_lark() -> None:
    assert {name for name, tree in TREES.items() if _uses(tree, "lark")} == {"language/parse.py"}


def _uses(tree: ast.Module, *packages: str) -> bool:
    return any(module.split(".")[0] in packages for module in imports(tree))


def test_heavy_packages_stay_in_their_rooms() -> None:
    heavy = {n for n, t in TREES.items() if _uses(t, "duckdb", "polars", "pyarrow", "numpy")}
    assert {room(name) for name in heavy} <= {"backends", "batch", "testing"}
    kept = {n for n, t in TREES.items() if _uses(t, "sqlalchemy", "alembic", "psycopg")}
    assert {room(name) for name in kept} == {"store"}
    served = {n for n, t in TREES.items() if _uses(t, "fastapi", "starlette", "uvicorn")}
    assert {room(name) for name in served} == {"api"}
    reaching = {n for n, t in TREES.items() if _uses(t, "httpx")}
    assert {name for name in reaching if room(name) != "syncing"} == {"store/sending.py"}
    assert not [name for name, tree in TREES.items() if _uses(tree, "pyspark")]


def test_importing_checking_and_matching_load_nothing_heavy() -> None:
    code = (
        "import sys; from segment_engine import Engine; "
        "rule = Engine().rule('totalOrders > 2 and lastOrderAt during this month'); "
        "rule.matches({'totalOrders': 3}); rule.to_json(); "
        "heavy = 'duckdb polars pyarrow numpy pandas pydantic typer rich hypothesis'; "
        "print(sorted(set(heavy.split()) & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_no_stage_asks_an_operator_for_its_name() -> None:
    asked = re.compile(r"\b(?:op|operator|row)\.name\s*(?:==|!=|in\b)|match (?:op|row)\.name")
    found = [name for name, path in FILES.items() if asked.search(path.read_text("utf-8"))]
    assert found == []


def test_imports_go_one_way() -> None:
    places = {name: place for place, name in enumerate(ORDER)}
    against = [
        (name, module)
        for name, tree in TREES.items()
        for module in imports(tree)
        if module.startswith("segment_engine.") and name != "__init__.py"
        for there in [module.split(".")[1]]
        if there in places
        and places[there] > places[room(name)]
        and (room(name), there) not in EARLIER
    ]
    assert against == []
    assert {room(name) for name in FILES} - {"__init__"} == set(ORDER)


def test_modules_form_no_cycle() -> None:
    modules = dict(zip(MODULES, TREES.values(), strict=True))
    graph = {name: set(imports(tree)) & MODULES.keys() - {name} for name, tree in modules.items()}
    while free := {name for name, used in graph.items() if not used}:
        graph = {name: used - free for name, used in graph.items() if name not in free}
    assert graph == {}


def test_imports_stand_at_the_top() -> None:
    inside = [
        name
        for name, tree in TREES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


def test_names_say_something_and_files_stay_small() -> None:
    assert not [name for name in FILES if Path(name).stem in ("utils", "helpers", "common", "misc")]
    lengths = {n: len(path.read_text("utf-8").splitlines()) for n, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


CLOCKS = {
    *("expression/clocks.py", "cli/runs.py", "batch/publishing.py", "store/worker.py"),
    "webhooks.py",
}
"""The store has the database's clock; the API measures requests; receivers have their own."""


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest would not collect both of them."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_only_clocks_reads_a_clock() -> None:
    reads = re.compile(r"time\.time|time_ns\(|datetime\.now|date\.today|utcnow|perf_counter")
    found = {name for name, path in FILES.items() if reads.search(path.read_text("utf-8"))}
    assert {name for name in found if room(name) != "api"} <= CLOCKS
    assert "expression/clocks.py" in found


HOSTILE = ("a'b", "'; drop table x; --", '"', "\\", "%_", "{}", "$1", "a\nb", "/*", "ünïcode", "?")


def shape(sql: str) -> object:
    """The SQL as DuckDB parses it, without its literals, names and places."""
    with duckdb.connect() as connection:
        query = "select json_serialize_sql($1)"
        found = connection.execute(query, [f"select 1 where {sql}"]).fetchall()[0][0]
    tree = json.loads(found)
    assert tree["error"] is False
    return _without_data(tree)


def _without_data(node: object) -> object:
    if isinstance(node, dict):
        data = ("text", "value", "column_names", "query_location", "query_location_length")
        return {key: _without_data(inner) for key, inner in node.items() if key not in data}
    return [_without_data(inner) for inner in node] if isinstance(node, list) else node


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_rule_is_sql(text: str) -> None:
    fields = {**DEFAULT_FIELDS, "plain": {"type": "text", "column": "plain"}}
    quoted = '"' + "".join({'"': r"\"", "\\": r"\\", "\n": r"\n"}.get(c, c) for c in text) + '"'
    engine = Engine(Schema(fields))
    harmless = '"x"' if only_a_string(text) else '"[x]"'  # compared as text, or as JSON
    for rule in ("plain = {}", "plain contains {}", "plain in ({}, {})", "metadata.k = {}"):
        benign = engine.rule(rule.replace("{}", harmless)).sql()
        assert shape(engine.rule(rule.replace("{}", quoted)).sql()) == shape(benign)
    key = engine.rule(f"metadata[{quoted}] exists").sql()
    assert shape(key) == shape(engine.rule('metadata["x"] exists').sql())
    named = Engine(Schema({"f": {"type": "text", "column": text}})).rule('f = "x"').sql()
    assert shape(named) == shape(Engine(Schema({"f": "text"})).rule('f = "x"').sql())


def test_depth_of_input_is_not_depth_of_stack() -> None:
    code = """
import sys
from segment_engine import Engine
engine = Engine()
engine.rule('metadata.a = 1').sql(); engine.rule('metadata.a = 1').polars()
deep = 'not (' * 31 + 'totalOrders = 1 or phone exists' + ')' * 31
chain = 'totalOrders' + ' + 1' * 64 + ' > 5'
wide = ' or '.join(f'totalOrders = {n} and phone exists' for n in range(1000))
sys.setrecursionlimit(170)
for text in (deep, chain, wide):
    rule = engine.rule(text)
    rule.text, rule.to_json(), rule.hash, rule.diagnostics, rule.matches({'totalOrders': 1})
    rule.sql()
    rule.polars()
print('fine')
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "fine", found.stderr[-2000:]
