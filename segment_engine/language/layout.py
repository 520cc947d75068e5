"""What `format` prints: canonical text, on several lines where it is long or has comments."""

import re
from itertools import chain

from segment_engine.diagnostics.spans import Span
from segment_engine.display.words import Word, Words, joined, plain, said
from segment_engine.expression.build import LOGIC
from segment_engine.expression.nodes import Call, Expr
from segment_engine.expression.spelling import BLANK, bracketed, spelt

WIDTH = 88
"""A longer rule stands on several lines, in columns."""

_PIECES = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`\n]+`|(#[^\n]*)')


def layout(text: str, expr: Expr) -> str:
    """The rule `text`, which reads as `expr`, as `format` prints it; no final newline.

    Comments that fill a line stay above the clause that they stood above or in; others go.
    Laying out the result again changes nothing.
    """
    return plain(laid_out(text, expr))


def laid_out(text: str, expr: Expr) -> Words:
    """The words of `layout`, blanks and line breaks included."""
    clauses = list(expr.args) if isinstance(expr, Call) and expr.op in LOGIC else [expr]
    comments = _full_line_comments(text) if isinstance(expr.span, Span) else []
    line = spelt(expr)
    if not comments and len(plain(line)) <= WIDTH:
        return line
    above: list[list[str]] = [[] for _ in range(len(clauses) + 1)]
    for place, comment in comments:
        above[_clause_at(clauses, place)].append(comment)
    lines = [_lines(expr, at, clause, above[at]) for at, clause in enumerate(clauses)]
    last = [said(comment, "comment") for comment in above[-1]]
    return joined(said("\n"), [*chain.from_iterable(lines), *last])


def _full_line_comments(text: str) -> list[tuple[int, str]]:
    found = (match for match in _PIECES.finditer(text) if match[1])
    return [
        (match.start(), match[1].rstrip())
        for match in found
        if not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    ]


def _clause_at(clauses: list[Expr], place: int) -> int:
    """The first clause that ends after the place; the number of clauses where none does."""
    ends = (getattr(clause.span, "end", 0) for clause in clauses)
    return next((at for at, end in enumerate(ends) if end > place), len(clauses))


def _lines(expr: Expr, at: int, clause: Expr, comments: list[str]) -> list[Words]:
    nested = isinstance(clause, Call) and clause.op in LOGIC
    words = bracketed(spelt(clause)) if nested and clause is not expr else spelt(clause)
    if not at or not isinstance(expr, Call):
        return [*(said(comment, "comment") for comment in comments), words]
    above = [(_INDENT, Word("comment", comment)) for comment in comments]
    return [*above, (_INDENT, Word("keyword", expr.op.name), BLANK, *words)]


_INDENT = Word("plain", "  ")
