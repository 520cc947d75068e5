"""A CSV file put into a static audience from the command line, against loading the same file.

    python -m benchmarks.importing [--rows 100000] [--store URL]

The baseline is `consumers load` of the file into another store. Then the file is imported into an
empty store, and once more, which changes nothing. Before the table is printed, the members and
their values are compared with the file. Memory is anonymous, in MB. The last line is of the first
import without the start of its process: as long as a worker that runs already takes.
"""

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import memory
from segment_engine.store.records import Consumer
from segment_engine.store.settings import settings
from segment_engine.store.store import OrganizationStore

RUN = "from segment_engine.cli import app; app()"
HEADER = ("externalId", "email", "phone", "fullName", "tags", "metadata.stand")


def main() -> None:
    """Prints what each command takes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--store", help="instead of an SQLite file of its own, which is empty")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "fair.csv"
        _write(file, chosen.rows)
        loaded, imported = f"sqlite:///{folder}/loaded.db", f"sqlite:///{folder}/imported.db"
        _compete(file, chosen.rows, loaded, chosen.store or imported)


def _compete(file: Path, rows: int, baseline: str, store: str) -> None:
    _shop(baseline).store.close()
    shop = _shop(store)
    audience = shop.audiences.create("fair", "STATIC").id
    runs = [
        ("consumers load", baseline, ("consumers", "load", file)),
        ("import", store, ("import", audience, file)),
        ("import, the same file again", store, ("import", audience, file)),
    ]
    taken = [(name, _run(url, command)) for name, url, command in runs]
    _compare(shop, audience, file)
    *_, first = shop.imports.list(audience)
    size = file.stat().st_size / 1e6
    print(f"{rows:,} rows, {size:.1f} MB; each is a member, and no value differs from the file")
    print(f"{'':30} {'seconds':>8} {'ratio':>6} {'MB':>6}")
    for name, one in taken:
        ratio = one.seconds / taken[0][1].seconds
        print(f"{name:30} {one.seconds:8.2f} {ratio:5.2f}x {one.most / 1e3:6,.0f}")
    print(f"{'from upload to members':30} {(first.updated_at - first.created_at) / 1e6:8.2f}")
    shop.store.close()


def _shop(url: str) -> OrganizationStore:
    store = settings(store=url).opened()
    return store.of(store.organizations.create("benchmark").id)


def _run(url: str, command: tuple[object, ...]) -> memory.Taken:
    os.environ["SEGMENT_ENGINE_STORE"] = url
    return memory.watched([sys.executable, "-c", RUN, *command, "--org", "benchmark"])


def _write(file: Path, rows: int) -> None:
    with open(file, "w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(HEADER)
        lines.writerows(map(_row, range(rows)))


def _row(n: int) -> tuple[object, ...]:
    tags = "vip,press" if n % 3 else ""
    phone = f"+49151{n:08}" if n % 2 else ""
    return f"{n:07}", f"user{n}@example.com", phone, f"Ada {n % 977} Lovelace", tags, n % 40


def _compare(shop: OrganizationStore, audience: str, file: Path) -> None:
    """Ends the program where the members are not those of the file."""
    found = shop.consumers.at(shop.members.bitmap(audience).ordinals().tolist())
    told = {one.external_id: _told(one) for one in found}
    with open(file, encoding="utf-8", newline="") as lines:
        wanted = {row["externalId"]: _wanted(row) for row in csv.DictReader(lines)}
    if told != wanted:
        raise SystemExit("the members differ from the file")


def _told(one: Consumer) -> tuple[object, ...]:
    names = ("email", "phone", "full_name", "metadata")
    return tuple(getattr(one, name) for name in names)


def _wanted(row: dict[str, str]) -> tuple[object, ...]:
    metadata: dict[str, object] = {"stand": row["metadata.stand"]}
    if row["tags"]:
        metadata["tags"] = row["tags"].split(",")
    return row["email"], row["phone"] or None, row["fullName"], metadata


if __name__ == "__main__":
    main()
