"""Every command and example of the documents runs here, and prints what the document shows.

A block ```csv NAME or ```yaml NAME is a file in the folder where all others run. ```console holds
`$ command` lines, each followed by what a terminal shows; a line `...` stands for lines left out,
and ` ...` at the end of a line for the rest of it. ```python is a doctest; the blocks of a document
share their names. `make` targets are only looked up, because one of them runs this; of `make demo`
everything is run but its timing. ```sh holds commands of which the modules, files and targets have
to exist, or commands that run on and on. The other blocks of the language's reference are run by
language/test_reference.py.
"""

import doctest
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
import yaml
from typer.models import CommandInfo

from segment_engine import Catalog, Engine, Schema
from segment_engine.catalog.entries import read_part
from segment_engine.catalog.findings import SourceText
from segment_engine.cli import app
from tests.cdnow import demo
from tests.cdnow.export import write_export

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "grammar/README.md", "tests/README.md")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
PIPED = re.compile(r"(?:echo '(?P<input>.*)' \| )?segment-engine (?P<arguments>.*)")
TARGETS = re.findall(r"^(\w+)(?: \w+)*:", (ROOT / "Makefile").read_text("utf-8"), re.M)
GROUPS = [group for group in app.registered_groups if group.typer_instance is not None]
RUN_ELSEWHERE = {"rule", "rules", "json"}


class Block(NamedTuple):
    document: str
    kind: str
    name: str
    content: str


def blocks(*kinds: str) -> list[Block]:
    """The blocks of these kinds, or of every kind, in the order of the documents."""
    found = [
        Block(document, *match.groups(default=""))
        for document in DOCUMENTS
        for match in BLOCK.finditer((ROOT / document).read_text("utf-8"))
    ]
    return [block for block in found if not kinds or block.kind in kinds]


def commands(content: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the output that follows it."""
    for part in re.split(r"^\$ ", content, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def shown_as(output: str) -> re.Pattern[str]:
    """What a shown output allows: itself, and anything where it says `...`."""
    lines = []
    for line in output.splitlines(keepends=True):
        start, dots, end = line.rpartition(" ...")
        if line == "...\n":
            lines.append(r"(?:.*\n)*?")
        elif dots and end == "\n":
            lines.append(re.escape(start) + ".*\n")
        else:
            lines.append(re.escape(line))
    return re.compile("".join(lines))


def run(words: list[str], given: str) -> tuple[str, int]:
    """What a terminal shows of a command, and its exit code."""
    said, stdin = io.StringIO(), io.TextIOWrapper(io.BytesIO(given.encode()))
    with (
        patch("sys.stdin", stdin),
        redirect_stdout(said),
        redirect_stderr(said),
        pytest.raises(SystemExit) as left,
    ):
        app(words, prog_name="segment-engine")
    return trimmed(said.getvalue()), int(left.value.code or 0)


def run_pytest(words: list[str]) -> tuple[str, int]:
    """As `run`, of a test run of its own with the plugin, registered or not."""
    plugin = ("-p", "segment_engine.pytest_plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", *words, *plugin],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return trimmed(done.stdout + done.stderr), done.returncode


def trimmed(printed: str) -> str:
    """The lines without the blanks at their ends."""
    return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


CONSOLES = [block for block in blocks("console") if "$ make" not in block.content]
DEMOS = [block for block in blocks("console") if "$ make" in block.content]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The customers of the walk-through, as its first command writes them."""
    return write_export(tmp_path_factory.mktemp("export") / "customers.parquet")


@pytest.fixture
def folder(tmp_path: Path, exported: Path) -> Iterator[None]:
    """A folder with the files that the documents show, as the current one."""
    for block in blocks():
        if block.name:
            path = tmp_path / block.name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.content, "utf-8")
    shutil.copy(exported, tmp_path)
    with chdir(tmp_path):
        yield


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", CONSOLES, ids=lambda block: block.content[2:40])
def test_commands(block: Block) -> None:
    code = 0
    for command, output in commands(block.content):
        if command == "echo $?":
            assert f"{code}\n" == output
            continue
        if command.startswith("pytest "):
            printed, code = run_pytest(shlex.split(command))
            assert shown_as(output).fullmatch(printed), f"$ {command}\n{printed}"
            continue
        found = PIPED.fullmatch(command)
        assert found is not None, command
        printed, code = run(shlex.split(found["arguments"]), found["input"] or "")
        assert shown_as(output).fullmatch(printed), f"$ {command}\n{printed}"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("document", sorted({block.document for block in blocks("python")}))
def test_python(document: str) -> None:
    source = "\n".join(block.content for block in blocks("python") if block.document == document)
    test = doctest.DocTestParser().get_doctest(source, {}, document, document, 0)
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        result = doctest.DocTestRunner(verbose=False).run(test, out=said.write)
    assert result.failed == 0, said.getvalue()
    assert result.attempted == len(re.findall("^>>> ", source, re.M))


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.document)
def test_yaml_is_a_schema_or_audiences(block: Block) -> None:
    whole = yaml.safe_load(block.content)
    if "fields" in whole:
        engine = Engine(Schema.from_yaml(block.content))
        assert set(engine.schema.names) == set(whole["fields"])
    else:
        catalog = Catalog([read_part(SourceText(block.name, block.content))])
        assert len(catalog) == len(whole.get("audiences", whole))


def test_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One engine will do here: that all three agree is the business of test_cdnow.py."""
    monkeypatch.setattr(demo, "ENGINES", ("duckdb",))
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    with chdir(tmp_path):
        assert demo.main() == 0
    (block,) = DEMOS
    ((command, output),) = commands(block.content)
    assert command == "make demo"
    shown = re.sub(r"^ *(snapshot|polars|records): .*\n", "", output, flags=re.M)
    timed = re.compile(r"\d+\.\d\d s$", re.M)
    printed = timed.sub("N s", trimmed(capsys.readouterr().out))
    assert shown_as(timed.sub("N s", shown)).fullmatch(printed), printed


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str) -> None:
    named = re.findall(r"(?:`|\$ |^)make (\w+)", (ROOT / document).read_text("utf-8"), re.M)
    assert [name for name in named if name not in TARGETS] == []
    assert named or document == "grammar/README.md"


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.document)
def test_parts_of_shell_commands_exist(block: Block) -> None:
    for line in block.content.splitlines():
        words = [word for word in shlex.split(line, comments=True) if "=" not in word]
        if words[0] == "make":
            assert words[1] in TARGETS
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), line
        elif words[0] == "segment-engine":
            continue  # of a command that goes on and on, or of what this test cannot know
        else:
            assert words[0] == "pytest" and (ROOT / words[1]).exists(), line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    file = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text("utf-8")):
        assert (file.parent / target).exists(), target


def test_every_block_is_of_a_kind_that_runs() -> None:
    mine = {"csv", "yaml", "console", "python", "sh"}
    assert {block.kind for block in blocks()} <= mine | RUN_ELSEWHERE
    assert {block.document for block in blocks(*RUN_ELSEWHERE)} == {"grammar/README.md"}
    assert {block.kind for block in blocks() if block.document == "README.md"} == mine


def name_of(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__.replace("_", "-")


def test_every_command_is_shown() -> None:
    lines = [command for block in CONSOLES for command, _ in commands(block.content)]
    lines += [line for block in blocks("sh") for line in block.content.splitlines()]
    shown = {words for line in lines for words in re.findall(r"segment-engine (.*)", line)}
    groups = {f"{group.typer_instance.info.name} ": group.typer_instance for group in GROUPS}
    for before, group in {"": app, **groups}.items():
        names = [before + name_of(command) for command in group.registered_commands]
        assert [
            name for name in names if not any(f"{w} ".startswith(f"{name} ") for w in shown)
        ] == []


def test_every_test_is_in_the_table() -> None:
    table = (ROOT / "tests/README.md").read_text("utf-8")
    parts = [path for path in (ROOT / "tests").iterdir() if path.suffix == ".py" or path.is_dir()]
    names = [path.name for path in parts if not path.name.startswith(("_", "."))]
    assert [name for name in names if name not in table] == []
