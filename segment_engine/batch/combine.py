"""Rules that refer to audiences: what an engine finds, joined with the members of those.

An engine is asked for each largest part without a reference, once; `and`, `or`, `not` around the
parts are intersection, union and complement of ids.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Constant, Expr, fold
from segment_engine.expression.references import references
from segment_engine.expression.resolve import AND, IN_AUDIENCE, NOT, TRUE, make
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.backends.sources import Source
    from segment_engine.rule import Rule

Ids = frozenset[Any]
Part = Ids | Expr
"""Ids that were found, or a part without references that the engine has not been asked for yet."""


class Combiner:
    """One source at one instant on one engine: the members of rules, references and all."""

    def __init__(self, run: Any, clock: Clock, source: "Source", id_column: str) -> None:
        self._run, self._clock, self._source, self._id = run, clock, source, id_column
        self._everybody: Ids | None = None

    def members(self, rule: "Rule", known: Mapping[str, Ids]) -> list[Any]:
        """The sorted ids; `known` are consumers in the audiences that the rule refers to."""
        if not references(rule.expression):
            found: list[Any] = self._run.members(rule, self._clock, self._source, self._id)
            return found
        whole = fold(rule.expression, lambda node, parts: self._node(rule, node, parts, known))
        return sorted(self._ids(rule, whole))

    def held(self, key: str, given: Any, rule: "Rule") -> Ids:
        """The ids of a list that are consumers; RunError where they are of another type."""
        everybody = self.everybody(rule)
        return everybody.intersection(
            listed(f"audience {key!r}", given, {type(one) for one in everybody})
        )

    def everybody(self, rule: "Rule") -> Ids:
        """The ids of all consumers."""
        if self._everybody is None:
            self._everybody = self._ask(rule, TRUE)
        return self._everybody

    def _node(
        self, rule: "Rule", node: Expr, parts: tuple[Part, ...], known: Mapping[str, Ids]
    ) -> Part:
        if not isinstance(node, Call):
            return node
        if node.op is IN_AUDIENCE:
            (key,) = node.args
            assert isinstance(key, Constant)
            return known[key.value]
        if not any(isinstance(part, frozenset) for part in parts):
            return node
        if node.op is NOT:
            return self.everybody(rule) - self._ids(rule, parts[0])
        return self._joined(rule, node.op is AND, parts)

    def _joined(self, rule: "Rule", every: bool, parts: Iterable[Part]) -> Ids:
        found = [part for part in parts if isinstance(part, frozenset)]
        asked = tuple(part for part in parts if not isinstance(part, frozenset))
        if asked:
            name = "and" if every else "or"
            found.append(self._ask(rule, make(name, *asked) if len(asked) > 1 else asked[0]))
        return frozenset.intersection(*found) if every else frozenset.union(*found)

    def _ids(self, rule: "Rule", part: Part) -> Ids:
        return part if isinstance(part, frozenset) else self._ask(rule, part)

    def _ask(self, rule: "Rule", part: Expr) -> Ids:
        piece = type(rule)(rule.engine, part, "")
        return frozenset(self._run.members(piece, self._clock, self._source, self._id))


def listed(whose: str, given: Any, kinds: set[type]) -> Ids:
    """The ids of a list, such as an audience's, as consumers have them whose ids are of `kinds`.

    Texts of whole numbers are numbers where the consumers' ids are. Raises RunError where nothing
    else can be meant.
    """
    ids = _ids_of(whose, given)
    if kinds == {int} and all(isinstance(i, str) and _WHOLE.fullmatch(i) for i in ids):
        ids = frozenset(map(int, ids))
    found = {type(one) for one in ids}
    if found and kinds and not found & kinds:
        names = [" or ".join(sorted(k.__name__ for k in some)) for some in (found, kinds)]
        raise RunError(f"the ids of {whose} are {names[0]}, the consumers' {names[1]}")
    return ids


def _ids_of(whose: str, given: Any) -> Ids:
    named = isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable)
    try:
        if not named:
            return frozenset(given)
    except TypeError:
        pass
    raise RunError(f"the members of {whose} are a list of ids, not {given!r:.80}")


_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,38})")
