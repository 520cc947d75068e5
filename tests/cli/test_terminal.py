"""What a terminal gets beside the results: completion of commands, bars for long work."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from segment_engine.cli import progress as bars

SCRIPT = "from segment_engine.cli import app; app(prog_name='segment-engine')"


def completing(**variables: str) -> str:
    """What the program prints for a shell that asks it to complete."""
    whole = [sys.executable, "-c", SCRIPT]
    env = {**os.environ, **{f"{name}": value for name, value in variables.items()}}
    return subprocess.run(whole, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("shell", "part"),
    [
        ("bash", "complete -o default -F _segment_engine_completion segment-engine"),
        ("zsh", "#compdef segment-engine"),
        ("fish", "complete --command segment-engine"),
    ],
)
def test_the_script_for_each_shell(shell: str, part: str, tmp_path: Path) -> None:
    script = completing(_SEGMENT_ENGINE_COMPLETE=f"source_{shell}")
    assert part in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        subprocess.run([shell, "-n", path], check=True)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("segment-engine pre", ["preview"]),
        ("segment-engine schema ", ["show", "infer", "check"]),
        ("segment-engine count true --eng", ["--engine"]),
        ("segment-engine count true --engine ", ["snapshot", "duckdb", "polars", "records"]),
    ],
)
def test_what_is_offered(words: str, offered: list[str]) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    printed = completing(_SEGMENT_ENGINE_COMPLETE="complete_bash", **asked)
    assert printed.split() == offered


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("after", [0.0, 60.0])
def test_a_bar_is_for_terminals_and_for_long_work(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, after: float
) -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, width=80)
    monkeypatch.setattr(bars, "Console", lambda stderr: console)
    monkeypatch.setattr(bars, "AFTER", after)
    with bars.progress("counting") as step:
        for done in range(5):
            step(done + 1, 5)
    assert ("counting" in said.getvalue() and "5/5" in said.getvalue()) == (terminal and not after)
    assert terminal or said.getvalue() == ""
