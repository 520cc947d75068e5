"""Running the command line in a test."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from segment_engine.cli import app


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object, stdin: str | bytes | None = None) -> Ran:
    done = CliRunner().invoke(app, [str(item) for item in arguments], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)
