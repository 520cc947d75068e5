"""Random catalogs, as the text of their file."""

from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

from segment_engine.expression.schema import Schema
from segment_engine.testing.strategies import rules
from segment_engine.values.paths import quote

_WORDS = ("vips", "loyal", "press", "at-risk", "Québec", "new 2026", 'say "hi"', "a.b", "no", "7")
_ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia")
_JOINTS = (
    "in audience {key}",
    "not (in audience {key})",
    "({rule}) and in audience {key}",
    "({rule}) or not (in audience {key})",
    "not (({rule}) and in audience {key})",
)
_WRONG: tuple[Any, ...] = (
    *("totalOrders >", "no such field = 1", 'in audience "nobody knows"', "phone = null", ""),
    *({"rule": "true", "members": ["1"]}, {"name": "without a rule"}, {"rules": 5}, ["1"]),
)


@st.composite
def catalogs(
    draw: st.DrawFn,
    schema: Schema | None = None,
    *,
    ids: Sequence[int | str] = range(10),
    max_size: int = 8,
    failing: bool = False,
    cycles: bool = False,
) -> str:
    """Catalogs as YAML: at most `max_size` audiences by rules of the schema, or by lists of ids.

    Audiences refer to one another, and some have the same rule. The ids of lists are some of
    `ids`, such as the oracles give to consumers without one. All are right, unless `failing` adds
    some that are not, or `cycles` lets some refer to themselves, most of them by others.

    >>> from hypothesis import given
    >>> from pathlib import Path
    >>> from segment_engine import Catalog
    >>> @given(catalogs())
    ... def test_catalogs_are_sound(text):
    ...     Path("drawn.yaml").write_text(text, "utf-8")
    ...     assert Catalog.load("drawn.yaml").sound
    """
    made = _Making(draw, schema or Schema.default(), ids)
    keys = draw(st.lists(_keys(), min_size=1, max_size=max_size, unique=True))
    for key in keys:
        made.add(key)
    if cycles:
        made.close(keys)
    if failing:
        for number, wrong in enumerate(draw(st.lists(st.sampled_from(_WRONG), min_size=1))):
            made.audiences[f"wrong {number}"] = wrong
    return made.written(schema)


class _Making:
    """One catalog on its way: each audience refers to those before it."""

    def __init__(self, draw: st.DrawFn, schema: Schema, ids: Sequence[int | str]) -> None:
        self.draw, self.ids, self.texts = draw, ids, rules(schema)
        self.audiences: dict[str, Any] = {}
        self.rules: list[str] = []

    def add(self, key: str) -> None:
        """An audience by a rule, or a list."""
        if self.draw(st.integers(0, 4)) == 4:
            members = self.draw(st.lists(st.sampled_from(self.ids), unique=True))
            self.audiences[key] = self.described({"members": members})
            return
        rule = self.rule()
        self.rules.append(rule)
        short = self.draw(st.booleans())
        self.audiences[key] = rule if short else self.described({"rule": rule})

    def rule(self) -> str:
        """A new one, one that there is, or either of them with a reference."""
        again = self.rules and self.draw(st.integers(0, 3)) == 3
        rule = self.draw(st.sampled_from(self.rules) if again else self.texts)
        for key in (
            self.draw(st.lists(st.sampled_from([*self.audiences]), max_size=2))
            if (self.audiences)
            else ()
        ):
            rule = self.draw(st.sampled_from(_JOINTS)).format(rule=rule, key=quote(key))
        return rule

    def described(self, entry: dict[str, Any]) -> dict[str, Any]:
        """With some of what is no rule."""
        more = {"name": st.just("A name: said"), "tags": st.lists(_keys(), max_size=2)}
        return {**self.draw(st.fixed_dictionaries({}, optional=more)), **entry}

    def close(self, keys: Sequence[str]) -> None:
        """Lets some audiences refer to one another, in a circle."""
        around = self.draw(st.lists(st.sampled_from(keys), min_size=1, unique=True))
        for key, other in zip(around, [*around[1:], around[0]], strict=True):
            self.audiences[key] = f"in audience {quote(other)}"

    def written(self, schema: Schema | None) -> str:
        """The file, in some order and some of the styles of YAML."""
        order = self.draw(st.permutations(list(self.audiences)))
        content: dict[str, Any] = {key: self.audiences[key] for key in order}
        if schema is not None or self.draw(st.booleans()):
            head = {"timezone": self.draw(st.sampled_from(_ZONES))}
            named = {} if schema is None else {"schema": schema.to_dict()}
            content = {**head, **named, "audiences": content}
        style: dict[str, Any] = {
            "width": self.draw(st.sampled_from([20, 80, 10_000])),
            "allow_unicode": self.draw(st.booleans()),
            "default_flow_style": self.draw(st.sampled_from([False, None, True])),
            "indent": self.draw(st.sampled_from([2, 4])),
        }
        text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, **style)
        return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Writes everything out: catalogs have no aliases."""
        return True


def _keys() -> st.SearchStrategy[str]:
    """Keys of audiences, as people and other programs choose them."""
    odd = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=5)
    return st.sampled_from(_WORDS) | odd
