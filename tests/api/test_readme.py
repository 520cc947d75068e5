"""The walk through the API in its README runs as it is printed, by commits on SQLite alone.

A block ```python NAME is a file in the folder where it runs.
Ids, times and cursors are compared by their shape; ` ...` at the end of a line stands for its
rest. SEGMENT_ENGINE_REGENERATE=1 writes what is answered into the README.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from segment_engine.api.routes import ROUTERS
from tests.api.serving import ROOT, SECRET, Served
from tests.klaviyo.account import filled
from tests.klaviyo.peer import KEY, Peer
from tests.profile import COMMIT

README = ROOT / "segment_engine/api/README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"^```python (\S+)\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.M)
ASKED = re.compile(r"api (\w+) [\"']?(/[\w/$.-]*)|-X (\w+) .*?/v1(/[\w/$-]*)")
SHAPES = (
    (re.compile(r"\b(org|key|aud|grp|rul|cons|imp|whk|syn)_[0-9A-HJKMNP-TV-Z]{26}"), r"\1_ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r'"(startCursor|endCursor)":"[^"]+"'), r'"\1":"CURSOR"'),
    (re.compile(r'"(durationMs|generation)":\d+'), r'"\1":N'),
    (re.compile(r'"nextRefreshAt":(?:null|"TIME")'), '"nextRefreshAt":TIME'),
)
LIST = "Xy12Ab"
"""The list of Klaviyo in the walk."""
MOST = 300
"""Characters of a line that are shown."""


def shaped(text: str) -> str:
    for found, name in SHAPES:
        text = found.sub(name, text)
    return text


def shown(output: str) -> str:
    """What a command prints as the README has it."""
    return "".join(f"{_cut(line)}\n" for line in output.splitlines())


def _cut(line: str) -> str:
    return line if len(line) <= MOST else f"{line[: line.rindex(',', 0, MOST) + 1]} ..."


def is_shown(told: str, output: str) -> bool:
    """Whether the README tells an output, up to the shapes."""
    pairs = [shaped(line).partition(" ...") for line in told.splitlines()]
    lines = shaped(output).splitlines()
    return len(pairs) == len(lines) and all(
        line.startswith(start) if rest else line == start
        for (start, rest, _), line in zip(pairs, lines, strict=True)
    )


def run(commands: list[str], served: Served, peer: Peer, folder: Path) -> list[str]:
    """What each command prints, all of them in one shell."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    told = [
        command.replace("8100", port).replace("http://127.0.0.1:8000", served.address)
        for command in commands
    ]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SEGMENT_ENGINE_STORE": served.url,
        "SEGMENT_ENGINE_SECRET": SECRET,
        "SEGMENT_ENGINE_FOLDER": str(served.store.folder),
        "SEGMENT_ENGINE_KLAVIYO_URL": peer.url,
        "KLAVIYO_API_KEY": KEY,
        "no_proxy": "*",
    }
    done = subprocess.run(
        ["bash", "-c", "".join(f"{command}\nprintf '\\036'\n" for command in told)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\036")[:-1]


def test_the_walk_runs_as_it_is_printed(served: Served, peer: Peer, tmp_path: Path) -> None:
    if COMMIT and served.url.startswith("postgresql"):
        pytest.skip("one database will do: the story of a back office asks all routes of both")
    if LIST not in peer.account.lists:
        peer.account.lists[LIST] = peer.account.lists.pop(filled(peer.account, 3))
    text = README.read_text("utf-8")
    pairs = [pair for block in BLOCK.findall(text) for pair in COMMAND.findall(block)]
    for name, content in FILE.findall(text):
        (tmp_path / name).write_text(content, "utf-8")
    outputs = run([command for command, _ in pairs], served, peer, tmp_path)
    if "SEGMENT_ENGINE_REGENERATE" in os.environ:
        answers = iter(outputs)
        rewritten = BLOCK.sub(
            lambda block: COMMAND.sub(lambda one: f"$ {one[1]}\n{shown(next(answers))}", block[0]),
            text,
        )
        README.write_text(rewritten, "utf-8")
        pytest.skip("written anew")
    for (command, told), output in zip(pairs, outputs, strict=True):
        assert is_shown(told, output), f"$ {command}\n{output}"


def test_every_route_is_in_the_walk() -> None:
    found = [[part for part in parts if part] for parts in ASKED.findall(README.read_text("utf-8"))]
    walked = {(method, re.sub(r"\$\w+", "{}", path)) for method, path in found}
    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    served = {
        (method, re.sub(r"\{\w+\}", "{}", one.path).removeprefix("/api/v1"))
        for one in routes
        for method in one.methods or ()
        if one.path.startswith("/api/")
    }
    assert served - walked == set()
