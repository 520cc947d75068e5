"""Bitmaps are sets of ordinals, and their bytes are those of the Roaring format."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from segment_engine.batch.bitmaps import (
    CHUNK,
    TILE,
    Bitmap,
    PatchedTile,
    Tile,
    bitmap_of,
    moved,
    packed,
    roaring_bytes,
)

EDGES = (0, 1, 63, 64, CHUNK - 1, CHUNK, TILE - 1, TILE, TILE + 1, 3 * TILE + 5, 2**32 - 1)


@st.composite
def ordinals(draw: st.DrawFn) -> set[int]:
    """Some ordinals, and perhaps a dense run, around the edges of chunks and tiles."""
    near = st.builds(lambda edge, step: edge + step, st.sampled_from(EDGES), st.integers(-3, 3))
    found = draw(st.sets(near.filter(lambda one: 0 <= one < 2**32), max_size=20))
    start, length = draw(st.sampled_from(EDGES[:-1])), draw(st.sampled_from((0, 4_096, 5_000)))
    return found | set(range(start, start + length))


def bitmap(members: set[int]) -> Bitmap:
    return bitmap_of(np.array([*members], np.uint32))


@given(ordinals(), ordinals())
def test_algebra_is_that_of_sets(one: set[int], other: set[int]) -> None:
    a, b = bitmap(one), bitmap(other)
    for made, expected in ((a & b, one & other), (a | b, one | other), (a - b, one - other)):
        assert made.ordinals().tolist() == sorted(expected)
        assert len(made) == len(expected)
    assert (a ^ b) == bitmap(one ^ other)
    assert a.overlap(b) == len(one & other)
    assert all(member in a for member in one) and not any(member in a for member in other - one)


@given(ordinals(), st.integers(0, 6_000), st.integers(0, 6_000))
def test_a_page_is_a_part_of_the_members_in_order(one: set[int], start: int, most: int) -> None:
    assert bitmap(one).ordinals(start, most).tolist() == sorted(one)[start : start + most]


@given(ordinals())
def test_bytes_do_not_tell_how_a_tile_was_made(one: set[int]) -> None:
    for tile in bitmap(one).tiles.values():
        truths = np.zeros(TILE, np.bool_)
        truths[tile.ordinals()] = True
        blob = roaring_bytes(packed(truths))
        assert blob == tile.blob == Tile(tile.count, packed(truths)).blob
        assert Tile(tile.count, blob=blob).roaring == BitMap.deserialize(blob) == tile.roaring


def test_members_move_to_other_ordinals() -> None:
    generator = np.random.default_rng(1)
    ordinals = generator.permutation(3 * TILE)[: 2 * TILE].astype(np.uint32)
    for size in (0, 5, TILE):
        members = np.sort(generator.permutation(len(ordinals))[:size]).astype(np.uint32)
        found = moved(ordinals, bitmap_of(members))
        assert found.ordinals().tolist() == sorted(ordinals[members].tolist())


@given(st.lists(st.sets(st.integers(0, TILE - 1), max_size=5), max_size=40))
def test_what_is_put_in_and_out_again_and_again(changes: list[set[int]]) -> None:
    members, tile = {7}, bitmap({7}).tiles[0]
    for turned in changes:
        members ^= turned
        places = np.array(sorted(turned), np.uint32)
        tile = PatchedTile(len(members), tile, places, packed(np.ones(len(places), np.bool_)))
    assert set(tile.ordinals().tolist()) == members
    assert bytes(tile.blob) == roaring_bytes(packed(np.isin(np.arange(TILE), [*members])))
