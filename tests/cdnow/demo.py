"""`make demo`: audiences over real purchases, published as files and compared between engines."""

import shutil
import sys
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import yaml
from rich.console import Console

from segment_engine import Engine
from segment_engine.cli import app
from tests.cdnow.consumers import AS_OF, TIMEZONE, write_consumers

RULES = Path("tests/cdnow/audiences.yaml")
OUT = Path("build/demo")
CONSUMERS = OUT / "consumers.parquet"
PUBLISHED, SNAPSHOT = OUT / "audiences", OUT / "snapshot"
LATER = "1998-07-08"
ENGINES = ("snapshot", "duckdb", "polars", "records")
TOTAL = Decimal("2500315.63")
SHOWN = "lapsed_vips"

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demonstration from the repository's folder; 0 where everything came out right."""
    shutil.rmtree(OUT, ignore_errors=True)
    _title("Real purchases become consumers")
    write_consumers(CONSUMERS)
    console.print(f"23,570 CDNOW customers, 1997-01-01 to 1998-06-30 -> {CONSUMERS}")

    _title("Audiences, published")
    command = f"materialize {RULES} --consumers {CONSUMERS} --snapshot {SNAPSHOT}"
    command += f" --out {PUBLISHED} --timezone {TIMEZONE} --as-of "
    published = _ran(command + AS_OF)

    _title("A week later")
    published &= _ran(command + LATER)
    published &= _ran(f"diff {PUBLISHED} --audience {SHOWN}")

    engine = Engine(timezone=TIMEZONE)
    rules: dict[str, str] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    right = [published, _engines_agree(engine, rules), _total_is_exact(engine)]
    _explain(engine, rules[SHOWN])
    _show_files()
    return 0 if all(right) else 1


def _ran(command: str) -> bool:
    console.print(f"$ segment-engine {command}", markup=False)
    return not app(command.split(), standalone_mode=False)


def _engines_agree(engine: Engine, rules: dict[str, str]) -> bool:
    _title("The same members on every engine")
    answers = []
    for name in ENGINES:
        started = time.perf_counter()
        run = engine.materialize(rules, CONSUMERS, as_of=AS_OF, engine=name, id_column="id")
        members = {key: sorted(run.members(key)) for key in rules if key not in run.failed}
        size = sum(map(len, members.values()))
        console.print(f"{name:>8}: {size:,} memberships, {time.perf_counter() - started:.2f} s")
        answers.append(members)
    same = all(len(members) == len(rules) for members in answers) and answers[1:] == answers[:-1]
    console.print("the engines agree" if same else "THE ENGINES DIFFER")
    return same


def _total_is_exact(engine: Engine) -> bool:
    _title("Money is exact")
    condition = engine.rule("true").sql(as_of=AS_OF, source=CONSUMERS)
    query = f'select sum("totalOrderValue") from read_parquet(?) where {condition}'
    with duckdb.connect() as connection:
        total: Decimal = connection.execute(query, [str(CONSUMERS)]).fetchall()[0][0]
    console.print(f"total order value of everybody: {total:,} (published: {TOTAL:,})")
    return total == TOTAL


def _explain(engine: Engine, text: str) -> None:
    _title(f"What {SHOWN} means")
    console.print(str(engine.rule(text).explain_sql(as_of=AS_OF, source=CONSUMERS)), markup=False)


def _show_files() -> None:
    _title("Where it went")
    for path in sorted(PUBLISHED.rglob("*")):
        if path.is_file():
            console.print(f"{path} ({path.stat().st_size:,} bytes)")
    console.print(f"rules: {RULES}; change one and run make demo again")


def _title(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


if __name__ == "__main__":
    sys.exit(main())
