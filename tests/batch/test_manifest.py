"""The fingerprint of the files that a run read."""

import os
from pathlib import Path

from segment_engine.batch.manifest import fingerprint_of


def test_the_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("id\n1\n")
    first = fingerprint_of(str(one))
    assert first is not None and first == fingerprint_of(f"{one}::table")
    files = fingerprint_of(str(tmp_path / "*.csv"))
    two.write_text("id\n2\n")
    assert files != fingerprint_of(str(tmp_path / "*.csv")) and fingerprint_of(str(one)) == first
    os.utime(one, ns=(0, 0))
    assert fingerprint_of(str(one)) != first


def test_what_is_no_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").symlink_to(tmp_path / "none")
    for source in ("none.csv", str(tmp_path / "*.csv"), "a\0b", ""):
        assert fingerprint_of(source) is None
