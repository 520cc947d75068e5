"""What is told of a published run beside its members: manifest.json."""

import glob
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from segment_engine.backends.sources.files import stamped
from segment_engine.batch.basis import Basis
from segment_engine.errors import OutputError

MANIFEST = "manifest.json"
MARKER, VERSION = "segment-engine generation", 2


@dataclass(frozen=True, slots=True)
class About:
    """What a run tells of itself.

    `as_of` is an instant as ISO text in UTC, `source` where the consumers were read and
    `fingerprint` something that changes when they do. By audience: `rules` are the hashes of
    their rules, `seconds` how long each took.
    """

    as_of: str | None = None
    timezone: str | None = None
    engine: str | None = None
    source: str | None = None
    fingerprint: str | None = None
    id_column: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audience:
    """The number of members, the hash of the rule that found them, and how long that took."""

    count: int
    rule: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is told of a generation.

    `created` is aware, in UTC. Of the `ordinals` given so far `consumers` had an id in this run.
    `audiences` are those with members to read. `failed` are the messages of those that could not
    be computed; of them `carried` keep the members of an earlier generation, of that number.
    `packs` are the generations whose bitmaps.bin it reads. `basis` is what it was computed from.
    """

    number: int
    created: datetime
    consumers: int
    ordinals: int
    audiences: Mapping[str, Audience]
    failed: Mapping[str, str]
    carried: Mapping[str, int]
    packs: tuple[int, ...]
    as_of: str | None = None
    timezone: str | None = None
    tzdata: str | None = None
    engine: str | None = None
    source: str | None = None
    fingerprint: str | None = None
    id_column: str | None = None
    basis: Basis | None = None

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON, `created` as ISO text, the audiences as `members`.

        A JSON file that has `audiences` would be a part of the catalog in whose folder it lies.
        """
        told = {"format": MARKER, "version": VERSION, **asdict(self)}
        told["created"] = self.created.isoformat()
        return {"members" if key == "audiences" else key: value for key, value in told.items()}


def fingerprint_of(source: str) -> str | None:
    """A hash of the names, sizes and times of the files of a path or glob; None where none is."""
    path = source.partition("::")[0]
    try:
        names = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
    except (OSError, ValueError):
        return None
    if not names or not all(map(os.path.exists, names)):
        return None
    return blake2b(stamped(names).encode(), digest_size=16).hexdigest()


def written(manifest: Manifest) -> bytes:
    """The text of the file."""
    return (json.dumps(manifest.to_json(), indent=2) + "\n").encode("ascii")


def is_manifest(path: Path) -> bool:
    """Whether a run wrote the file, of this version or another."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("format") == MARKER


def read_manifest(path: Path) -> Manifest:
    """What the file tells. Raises OutputError where no run wrote it, OSError where it is not."""
    held = path.read_bytes()
    try:
        told = json.loads(held)
        marker, version = told.pop("format"), told.pop("version")
        if (marker, version) == (MARKER, VERSION):
            return _manifest(told)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        pass
    else:
        if marker == MARKER:
            raise OutputError(
                f"{path} is of version {version}, this reads version {VERSION}; "
                "use the segment_engine that wrote it, or a newer one"
            )
    raise OutputError(
        f"{path} is damaged: it is no manifest of a run; remove its folder to go on from the "
        "generation before"
    )


def _manifest(told: dict[str, Any]) -> Manifest:
    audiences = {key: Audience(**one) for key, one in told.pop("members").items()}
    created = datetime.fromisoformat(told.pop("created"))
    packs, basis = tuple(told.pop("packs")), told.pop("basis")
    return Manifest(
        created=created,
        audiences=audiences,
        packs=packs,
        basis=Basis(**basis) if basis else None,
        **told,
    )
