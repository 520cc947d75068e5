"""Mutants: one small change of a module's syntax tree each, always in the same order.

Left alone are annotations, names of types, decorators, docstrings, imports, and what says that
something cannot be: `assert`, `strict` of a zip, and a last `case _` that raises.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AROUND = 60
PACKAGE = Path(__file__).parents[2] / "segment_engine"

GONE = object()
Change = tuple[Any, Any, Any]
"""A node or a list, the attribute or place in it, and what is to stand there (GONE: nothing)."""

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
_REMOVED = (ast.Expr, ast.AugAssign, ast.Raise, ast.Continue, ast.Break)
_SKIPPED = frozenset({"annotation", "returns", "decorator_list", "bases"})
_GENERIC = frozenset({"Literal", "Callable", "Mapping", "Sequence", "dict", "list", "tuple"})
_EITHER_WAY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)


@dataclass(frozen=True, eq=False)
class Mutant:
    """One change, the statement around it, and its line."""

    module: str
    tree: ast.Module
    around: ast.AST
    line: int
    change: Change

    def applied(self) -> ast.Module:
        """The tree with the change made, in place."""
        _make(self.change)
        return ast.fix_missing_locations(self.tree)

    def difference(self) -> tuple[str, str]:
        """What goes and what comes, as `ast.unparse` writes it; of long lines what is around."""
        before = ast.unparse(self.around).splitlines()
        undo = _make(self.change)
        after = ast.unparse(self.around).splitlines()
        _make(undo)
        lines = list(difflib.ndiff(before, after))
        gone, come = ([line[2:].strip() for line in lines if line[0] == mark] for mark in "-+")
        return _shortened("\n    ".join(gone), "\n    ".join(come))

    def __str__(self) -> str:
        gone, come = self.difference()
        return f"segment_engine/{self.module}:{self.line}\n  - {gone}\n  + {come}"


def _shortened(gone: str, come: str) -> tuple[str, str]:
    head = max(0, _alike(gone, come) - AROUND)
    tail = max(0, _alike(gone[head:][::-1], come[head:][::-1]) - AROUND)
    return gone[head : len(gone) - tail], come[head : len(come) - tail]


def _alike(first: str, second: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    shorter = min(len(first), len(second))
    return next((number for number, (one, other) in pairs if one != other), shorter)


def _make(change: Change) -> Change:
    """Makes the change and returns the one that undoes it."""
    holder, place, new = change
    if isinstance(holder, list):
        old = holder[place] if isinstance(place, slice) else [holder[place]]
        at = place if isinstance(place, slice) else slice(place, place + 1)
        holder[at] = new if isinstance(place, slice) else [] if new is GONE else [new]
        return holder, slice(at.start, at.start + (new is not GONE and len(holder[at]))), old
    old = getattr(holder, place)
    setattr(holder, place, new)
    return holder, place, old


def mutants(module: str) -> list[Mutant]:
    """All mutants of a module, which is named by its path under the package."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    return [Mutant(module, tree, *found) for found in _under(tree, tree, 1)]


def _under(node: ast.AST, around: ast.AST, line: int) -> Iterator[tuple[ast.AST, int, Change]]:
    for name, value in ast.iter_fields(node):
        if name in _SKIPPED:
            continue
        listed = isinstance(value, list)
        for number, child in enumerate(value if listed else [value]):
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            at = line if isinstance(node, ast.JoinedStr) else getattr(child, "lineno", line)
            for change in _changes(child, *((value, number) if listed else (node, name))):
                yield around, at, change
            yield from _under(child, child if isinstance(child, ast.stmt) else around, at)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.keyword("strict") | ast.AnnAssign(annotation=ast.Name("TypeAlias")):
            return True
        case ast.Expr(ast.Constant()) | ast.If(ast.Name("TYPE_CHECKING")):
            return True
        case ast.match_case(ast.MatchAs(None), None, [ast.Raise()]):
            return True
        case ast.Subscript(ast.Name(name)):
            return name in _GENERIC
    return False


def _changes(node: ast.AST, holder: Any, place: Any) -> Iterator[Change]:
    """The changes of a node itself, which stands at that place."""
    if isinstance(node, _REMOVED):
        yield holder, place, ast.Pass()
    if isinstance(node, ast.match_case) and len(holder) > 1:
        yield holder, place, GONE
    for new in _instead(node):
        yield holder, place, new
    match node:
        case ast.Compare(_, ops):
            for number, op in enumerate(ops):
                yield ops, number, _SWAPS[type(op)]()
        case ast.BoolOp(op) | ast.AugAssign(op=op) if type(op) in _SWAPS:
            yield node, "op", _SWAPS[type(op)]()
        case ast.BinOp(left, op, right) if type(op) in _SWAPS and not _is_text(left, right):
            yield node, "op", _SWAPS[type(op)]()
        case ast.If(test) | ast.While(test) | ast.IfExp(test) if not _turns_otherwise(test):
            yield node, "test", ast.UnaryOp(ast.Not(), test)
        case ast.comprehension(ifs=tests):
            for number, test in enumerate(tests):
                if not _turns_otherwise(test):
                    yield tests, number, ast.UnaryOp(ast.Not(), test)
        case ast.Return(value) if value is not None and not isinstance(value, ast.Constant):
            yield node, "value", ast.Constant(None)
        case ast.Lambda(_, body) if not isinstance(body, ast.Constant):
            yield node, "body", ast.Constant(None)
        case ast.Call(keywords=keywords):
            for number, word in enumerate(keywords):
                if word.arg not in (None, "strict"):
                    yield keywords, number, GONE
        case ast.List(elements) | ast.Set(elements) if len(elements) > 1:
            yield from ((elements, number, GONE) for number in range(len(elements)))


def _instead(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(str(value)):
            yield ast.Constant("" if value else "X")
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.BinOp(left, ast.BitOr(), right):
            yield from (left, right)
        case ast.Name(name, ast.Load()) if name in _NAMES:
            yield ast.Name(_NAMES[name], ast.Load())
        case ast.Dict(keys, values):
            for at in range(len(keys)):
                yield ast.Dict(keys[:at] + keys[at + 1 :], values[:at] + values[at + 1 :])


def _turns_otherwise(test: ast.expr) -> bool:
    """Whether another change is the negation of the test already."""
    match test:
        case ast.UnaryOp(ast.Not()) | ast.Constant():
            return True
        case ast.Compare(ops=[op]):
            return isinstance(op, _EITHER_WAY)
    return False


def _is_text(*operands: ast.expr) -> bool:
    """A sum of texts: any other operation on them fails at once, and says nothing."""
    return any(
        isinstance(one, ast.JoinedStr) or (isinstance(one, ast.Constant) and type(one.value) is str)
        for one in operands
    )
