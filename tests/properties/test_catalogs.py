"""Catalogs drawn at random: a run of all audiences is each of them alone, on every engine."""

from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Catalog, RuleError, Schema, SegmentError
from segment_engine.catalog.entries import read_part
from segment_engine.catalog.findings import SourceText
from segment_engine.parts import ENGINES
from segment_engine.testing import EVERY_TYPE, catalogs, consumers

SCHEMA = Schema(EVERY_TYPE)
AS_OF = "2026-07-01T12:00:00Z"


def read(text: str) -> Catalog:
    return Catalog([read_part(SourceText("audiences.yaml", text))])


def one_by_one(catalog: Catalog, people: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids by key, each consumer alone in plain Python; the error where a time leaves the years."""
    found: dict[str, Any] = {}

    def members(key: str) -> Any:
        if key not in found:
            found[key] = computed(key)
        return found[key]

    def computed(key: str) -> Any:
        if key in catalog.lists:
            return {int(i) for i in catalog.lists[key]} & {person["id"] for person in people}
        rule = catalog.rules[key]
        known = {name: members(name) for name in rule.audiences}
        failed = [fault for fault in known.values() if isinstance(fault, SegmentError)]
        if failed:
            return failed[0]
        try:
            return {
                person["id"]
                for person in people
                if rule.matches(person, AS_OF, {n: person["id"] in ids for n, ids in known.items()})
            }
        except RuleError as fault:
            return fault

    return {key: members(key) for key in catalog.audiences}


@given(catalogs(SCHEMA), consumers(SCHEMA))
def test_a_run_is_every_audience_alone(text: str, people: list[dict[str, Any]]) -> None:
    people = [{"id": number, **person} for number, person in enumerate(people)]
    catalog = read(text)
    assert catalog.sound, [finding.draw() for finding in catalog.findings]
    expected = one_by_one(catalog, people)
    with TemporaryDirectory() as folder:
        kept = catalog.materialize(people, as_of=AS_OF, snapshot=folder)
    runs = {"kept": kept} | {
        name: catalog.materialize(people, as_of=AS_OF, engine=name) for name in ENGINES
    }
    for engine, made in runs.items():
        found = {key: set(made.members(key)) for key in made.counts()}
        assert found == {k: ids for k, ids in expected.items() if isinstance(ids, set)}, engine
        assert set(made.failed) == set(expected) - set(found)


@given(catalogs(SCHEMA), consumers(SCHEMA))
def test_one_function_is_every_audience_alone(text: str, people: list[dict[str, Any]]) -> None:
    people = [{"id": number, **person} for number, person in enumerate(people)]
    catalog = read(text)
    matcher = catalog.matcher(as_of=AS_OF)
    expected = one_by_one(catalog, people)
    sound = {key: ids for key, ids in expected.items() if isinstance(ids, set)}
    assert set(matcher.failed) == expected.keys() - sound.keys()
    for person in people:
        assert set(matcher(person)) == {key for key, ids in sound.items() if person["id"] in ids}


@given(st.one_of(catalogs(failing=True), catalogs(cycles=True), catalogs(SCHEMA, failing=True)))
def test_findings_stand_in_the_file(text: str) -> None:
    catalog = read(text)
    assert not catalog.sound
    assert catalog.failed
    lines = text.split("\n")
    for finding in catalog.findings:
        line, column = finding.place
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
        assert f"audiences.yaml:{line}:{column}: " in finding.draw()
        assert finding.key is None or finding.key in catalog.audiences


@given(catalogs(cycles=True))
def test_a_cycle_is_told_of_each_in_it(text: str) -> None:
    catalog = read(text)
    told = {f.key for f in catalog.findings if f.item.code == "audience-cycle"}
    assert told
    assert told <= set(catalog.failed)
    sound = set(catalog.audiences) - set(catalog.failed)
    assert all(not told & {*catalog.rules[k].audiences} for k in sound if k in catalog.rules)


@given(catalogs(SCHEMA, failing=True))
def test_reading_again_gives_the_same(text: str) -> None:
    first, second = read(text), read(text)
    assert first.engine == second.engine
    assert first.rules == second.rules
    assert first.lists == second.lists
    assert [f.draw() for f in first.findings] == [f.draw() for f in second.findings]
    told = [(key, entry.name, entry.tags) for key, entry in first.audiences.items()]
    assert told == [(key, entry.name, entry.tags) for key, entry in second.audiences.items()]
