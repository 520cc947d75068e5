"""Audiences that refer to others: which, in which order to compute them, and what cannot be."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Place
from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Constant, Expr, fold, walk
from segment_engine.operators.row import Shape
from segment_engine.values.types import AUDIENCE

MOST_SHOWN = 12
"""Audiences of a path that a message names."""

MOST_TRACED = 300
"""In a larger knot of audiences the way of each back to itself is not looked for."""

MOST_GUESSED = 100
"""Unknown audiences whose nearest names are looked for: that takes time."""


_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reference:
    """The audience that a rule names, by its key, and where it does."""

    key: str
    span: Place


def references(expr: Expr, aliases: Mapping[str, str] = _NONE) -> tuple[Reference, ...]:
    """Each audience that a rule refers to, once, at its first place, by its key.

    `aliases` are other names of audiences, such as ids, with their keys.
    """
    found: dict[str, Reference] = {}
    for node in walk(expr):
        if isinstance(node, Call) and node.op.shape is Shape.AUDIENCE:
            (key,) = node.args
            assert isinstance(key, Constant)
            name = aliases.get(key.value, key.value)
            found.setdefault(name, Reference(name, key.span))
    return tuple(found.values())


def renamed(expr: Expr, keys: Mapping[str, str]) -> Expr:
    """The rule with other keys of the audiences that it refers to; those without one stay."""

    def again(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if isinstance(node, Constant) and node.type is AUDIENCE:
            return replace(node, value=keys.get(node.value, node.value))
        return replace(node, args=args) if isinstance(node, Call) else node

    return fold(expr, again)


def condition_of(key: str, members: Mapping[str, Any]) -> Any:
    """What stands for an audience; RunError where nobody said, because that is not nobody."""
    if not isinstance(members, Mapping):
        raise RunError(f"audiences are a mapping by key, not {type(members).__name__}")
    if key not in members:
        raise RunError(
            f"the rule refers to audience {key!r}: give its members, audiences={{{key!r}: ...}}"
        )
    return members[key]


@dataclass(frozen=True, slots=True)
class Order:
    """`keys` so that each stands behind those it refers to; `faults` of those that cannot be."""

    keys: tuple[str, ...]
    faults: Mapping[str, Diagnostic]


def dependency_order(
    graph: Mapping[str, tuple[Reference, ...]], given: Collection[str] = ()
) -> Order:
    """In which order to compute audiences; `given` are those whose members are known already.

    An unknown audience and a cycle are the faults of every audience that names it or is in it;
    all of them have their place in `keys`, too, so that a failure can be carried on.
    """
    missing = {
        key: reference
        for key, refers in graph.items()
        for reference in reversed(refers)
        if reference.key not in graph and reference.key not in given
    }
    guessed = [*dict.fromkeys(reference.key for reference in missing.values())][:MOST_GUESSED]
    near = {name: nearest(name, [*graph, *given]) for name in guessed}
    faults = {
        key: _unknown(reference, near.get(reference.key, ())) for key, reference in missing.items()
    }
    ordered: list[str] = []
    for group in _components(graph):
        ordered.extend(group)
        for key in group:
            if len(group) > 1 or key in [reference.key for reference in graph[key]]:
                faults[key] = _cycle(key, graph, frozenset(group))
    return Order(tuple(ordered), faults)


@dataclass(frozen=True, slots=True)
class Failures:
    """Why audiences fail that refer to failed ones; asked in dependency order."""

    graph: Mapping[str, tuple[Reference, ...]]
    failed: Collection[str]
    roots: dict[str, str] = field(default_factory=dict)

    def behind(self, key: str) -> Diagnostic | None:
        """What to say of an audience that refers to a failed one; None where it does not."""
        first = next((found for found in self.graph[key] if found.key in self.failed), None)
        if first is None:
            return None
        root = self.roots[key] = self.roots.get(first.key, first.key)
        path = [key, first.key]
        while path[-1] != root and len(path) < MOST_SHOWN:
            path.append(next(r.key for r in self.graph[path[-1]] if r.key in self.failed))
        path += ["...", root] if path[-1] != root else []
        message = f'audience "{root}" failed, and so this one does: {" -> ".join(path)}'
        return Diagnostic("failed-audience", message, first.span, help=f'mend "{root}"')


def _unknown(reference: Reference, near: tuple[str, ...]) -> Diagnostic:
    message = f'no audience is called "{reference.key}"'
    return Diagnostic("unknown-audience", message, reference.span, near=near)


def _cycle(
    key: str, graph: Mapping[str, tuple[Reference, ...]], group: Collection[str]
) -> Diagnostic:
    """The shortest way from the audience back to itself."""
    if len(group) > MOST_TRACED:
        first = next(reference for reference in graph[key] if reference.key in group)
        message = f"the audience refers to itself, in a knot of {len(group):,} audiences"
        return Diagnostic("audience-cycle", message, first.span, help="take one of them out")
    came: dict[str, str] = {}
    waiting = [key]
    for at in waiting:
        for reference in graph[at]:
            if reference.key in group and reference.key not in came:
                came[reference.key] = at
                waiting.append(reference.key)
    path = [key]
    while len(path) == 1 or path[-1] != key:
        path.append(came[path[-1]])
    path.reverse()
    first = next(reference for reference in graph[key] if reference.key == path[1])
    if len(path) > MOST_SHOWN:
        path = [*path[: MOST_SHOWN - 2], "...", key]
    message = f"the audience refers to itself: {' -> '.join(path)}"
    return Diagnostic("audience-cycle", message, first.span, help="take one of them out")


def _components(graph: Mapping[str, tuple[Reference, ...]]) -> Iterable[list[str]]:
    """Tarjan's strongly connected components, those referred to first; without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    held: set[str] = set()
    for root in graph:
        if root in index:
            continue
        waiting = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        held.add(root)
        while waiting:
            key, rest = waiting[-1]
            for reference in rest:
                other = reference.key
                if other not in graph:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    held.add(other)
                    waiting.append((other, iter(graph[other])))
                    break
                if other in held:
                    low[key] = min(low[key], index[other])
            else:
                waiting.pop()
                if waiting:
                    before = waiting[-1][0]
                    low[before] = min(low[before], low[key])
                if low[key] == index[key]:
                    group = stack[stack.index(key) :] if stack[-1] != key else [key]
                    del stack[-len(group) :]
                    held.difference_update(group)
                    yield group
