"""Every command and example of the README runs here, and prints what the README shows.

A block ```csv NAME or ```yaml NAME is a file; ```console holds `$ command` lines, each followed by
its output; ```python is a doctest. The `make` commands are only looked up: one of them runs this.
"""

import doctest
import io
import re
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segment_engine.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
BLOCKS = [(found[1], found[2], found[3]) for found in BLOCK.finditer(README)]
SHELL = re.compile(r"(?:echo '(?P<input>.*)' \| )?segment-engine (?P<arguments>.*)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    for _, name, content in BLOCKS:
        if name:
            (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def commands() -> list[tuple[str, str]]:
    """Each command of the README with the output that follows it."""
    shown = "".join(content for kind, _, content in BLOCKS if kind == "console")
    parts = re.split(r"^\$ ", shown, flags=re.M)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize(("command", "output"), commands())
def test_commands(command: str, output: str, folder: Path) -> None:
    found = SHELL.fullmatch(command)
    assert found is not None, command
    words = [
        first or second for first, second in re.findall(r"'([^']*)'|(\S+)", found["arguments"])
    ]
    with chdir(folder):
        result = CliRunner().invoke(app, words, input=found["input"])
    assert sorted(result.output.splitlines()) == sorted(output.splitlines())


@pytest.mark.parametrize("source", [content for kind, _, content in BLOCKS if kind == "python"])
def test_python(source: str, folder: Path) -> None:
    test = doctest.DocTestParser().get_doctest(source, {}, "README", "README.md", 0)
    said = io.StringIO()
    with chdir(folder), redirect_stdout(said), redirect_stderr(said):
        result = doctest.DocTestRunner(verbose=False).run(test, out=said.write)
    assert result.failed == 0, said.getvalue()
    assert result.attempted > 3


def test_there_is_something_to_run() -> None:
    assert len(commands()) >= 8
    assert {kind for kind, _, _ in BLOCKS} == {"csv", "console", "python", "yaml"}


@pytest.mark.parametrize("document", ["README.md", "tests/README.md"])
def test_make_commands_exist(document: str) -> None:
    targets = set(re.findall(r"^(\w+)(?: \w+)*:", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = set(re.findall(r"make (\w+)", (ROOT / document).read_text("utf-8")))
    assert named and named <= targets


def test_every_test_is_in_the_table() -> None:
    table = (ROOT / "tests/README.md").read_text("utf-8")
    tests = ROOT / "tests"
    names = [path.name for path in tests.iterdir() if path.suffix == ".py" or path.is_dir()]
    missing = [n for n in names if n not in table and not n.startswith(("_", "conftest"))]
    assert missing == []
