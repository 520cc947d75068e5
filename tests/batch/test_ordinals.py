"""The map from ids to ordinals: append-only, the same for ever, on disk before anything is told."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch import consumers, ordinals
from segment_engine.batch.consumers import check_ids
from segment_engine.batch.ordinals import Ordinals
from segment_engine.errors import OutputError, RunError


def assigned(folder: Path, ids: list[Any], kind: pa.DataType | None = None) -> list[int]:
    return list(Ordinals(folder).assign(pa.chunked_array([pa.array(ids, kind)])))


def test_ids_keep_their_ordinals(tmp_path: Path) -> None:
    assert assigned(tmp_path, ["a", "b", "c"]) == [0, 1, 2]
    assert assigned(tmp_path, ["a", "b", "c"]) == [0, 1, 2]
    assert assigned(tmp_path, ["a", "b"]) == [0, 1]
    assert assigned(tmp_path, ["a", "b", "c", "d"]) == [0, 1, 2, 3]
    assert assigned(tmp_path, ["e", "c", "a", "f"]) == [4, 2, 0, 5]
    assert assigned(tmp_path, []) == []
    assert Ordinals(tmp_path).ids.to_pylist() == list("abcdef")
    assert Ordinals(tmp_path, 4).ids.to_pylist() == list("abcd")
    pieces = sorted(path.name for path in tmp_path.iterdir())
    assert pieces == [f"000000000{start}.parquet" for start in (0, 3, 4)]


@given(st.lists(st.lists(st.integers(-9, 9), unique=True, max_size=12), max_size=6))
def test_every_run_agrees_with_a_dict(runs: list[list[int]]) -> None:
    small = patch.object(ordinals, "TILE", 4), patch.object(consumers, "TILE", 4)
    with small[0], small[1], tempfile.TemporaryDirectory() as folder:
        known: dict[int, int] = {}
        for ids in runs:
            for one in ids:
                known.setdefault(one, len(known))
            assert assigned(Path(folder), ids, pa.int64()) == [known[one] for one in ids]
            assert Ordinals(Path(folder)).ids.to_pylist() == list(known)


@given(st.lists(st.lists(st.none() | st.integers(0, 30), max_size=9), max_size=4))
def test_ids_that_stand_twice_are_found_in_parts(chunks: list[list[int | None]]) -> None:
    flat = [one for chunk in chunks for one in chunk]
    present = [one for one in flat if one is not None]
    ids = pa.chunked_array([pa.array(chunk, pa.int64()) for chunk in chunks], pa.int64())
    with patch.object(consumers, "TILE", 4):
        if len(set(present)) == len(flat):
            check_ids(ids, "id")
            return
        with pytest.raises(RunError, match=r"null|repeated"):
            check_ids(ids, "id")


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.uint16(), pa.uint64()])
def test_integers_of_all_widths_are_the_same_ids(tmp_path: Path, kind: pa.DataType) -> None:
    assert assigned(tmp_path, [5, 7], kind) == [0, 1]
    assert assigned(tmp_path, [7, 5], pa.int32()) == [1, 0]


def test_texts_of_all_widths_are_the_same_ids(tmp_path: Path) -> None:
    assert assigned(tmp_path, ["5", "ß"], pa.large_string()) == [0, 1]
    assert assigned(tmp_path, ["ß"], pa.string_view()) == [1]


CONFLICTS = [
    (["5"], pa.string(), "holds ids that are integers, these are texts"),
    ([Decimal(5)], pa.decimal128(38, 0), "these are of type decimal128"),
    ([1 << 63], pa.uint64(), "holds ids of type int64"),
]


@pytest.mark.parametrize(("ids", "kind", "message"), CONFLICTS, ids=["texts", "decimals", "wide"])
def test_ids_of_another_type_are_refused(
    tmp_path: Path, ids: list[Any], kind: pa.DataType, message: str
) -> None:
    assert assigned(tmp_path, [5, 6]) == [0, 1]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=message):
        assigned(tmp_path, ids, kind)
    assert sorted(tmp_path.iterdir()) == before


def test_ids_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be published"):
        assigned(tmp_path, [[1]])
    with pytest.raises(RunError, match="repeated id"):
        assigned(tmp_path, [2, 1, 2])
    assert assigned(tmp_path, [1, 2]) == [0, 1]
    with pytest.raises(OutputError, match="stands twice"):
        assigned(tmp_path, [1, 2, 1])
    assert Ordinals(tmp_path).ids.to_pylist() == [1, 2]


def test_a_full_map_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinals, "MOST", 3)
    assigned(tmp_path, [1, 2])
    with pytest.raises(OutputError, match="more than 3 ids"):
        assigned(tmp_path, [3, 4])


def test_damaged_maps_are_told(tmp_path: Path) -> None:
    for ids in ([1, 2], [1, 2, 3], [1, 2, 3, 4]):
        assigned(tmp_path, ids)
    first, second, third = sorted(tmp_path.iterdir())
    held = second.read_bytes()
    second.write_bytes(held[: len(held) // 2])
    with pytest.raises(OutputError, match=rf"{second.name} cannot be read"):
        Ordinals(tmp_path)
    assert Ordinals(tmp_path, 2).ids.to_pylist() == [1, 2]
    second.unlink()
    with pytest.raises(OutputError, match="lacks the ids from ordinal 2 on"):
        Ordinals(tmp_path)
    third.unlink()
    with pytest.raises(OutputError, match="lacks the ids from ordinal 2 on"):
        Ordinals(tmp_path, 4)
    first.unlink()
    assert len(Ordinals(tmp_path)) == 0
