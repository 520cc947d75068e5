"""How large and how deep a rule may be. Counted while it is read, so that excess costs nothing."""

from typing import Any

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.spans import Place, Span
from segment_engine.expression.build import MAX_VALUES, TooMany

MAX_DEPTH = 64
MAX_TEXT = 64 * 1024
MAX_WITH_LISTS = 1024 * 1024
MAX_CHAIN = 64
MAX_FINDINGS = 5_000


def check_size(text: str, log: Log) -> bool:
    """Whether a text or JSON is at most 1 MiB of UTF-8."""
    if _bytes(text) <= MAX_WITH_LISTS:
        return True
    log.error("limit", "a rule has at most 1 MiB", Span(0, 1), help=_REFER)
    return False


_REFER = "put long lists of people into a static audience"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def too_deep(log: Log, span: Place) -> TooMany:
    """Notes that the depth is passed; raise what it gives."""
    log.error("limit", f"a rule is nested at most {MAX_DEPTH} deep", span)
    return TooMany()


def too_many_findings(log: Log, span: Place) -> TooMany:
    """Notes that nobody would read more; raise what it gives."""
    message = f"a check ends at {MAX_FINDINGS:,} findings: mend those before this place first"
    log.error("limit", message, span)
    return TooMany()


class Limits:
    """Sees every token once: depth of brackets and signs, values of lists, text beside lists."""

    def __init__(self, text: str, log: Log) -> None:
        self._text, self._log = text, log
        self._levels: list[int] = []
        self._depth = self._signs = 0
        self._outside, self._seen = 0, 0
        self._values = self._chain = 0
        self.in_list = False
        self.deepest = 0
        self.watched = None if _bytes(text) > MAX_TEXT else _WATCHED
        """The kinds of tokens that must be shown to `see`; None for all of them."""

    def see(self, token: Any, previous: str) -> None:
        """Counts the token; raises TooMany, with the log written, when a limit is passed.

        `previous` is the kind of the token before it.
        """
        kind = token.type
        if self.watched is None:
            self._measure(token)
        if kind == "_COMMA":
            self._count_value(token)
        elif kind in _PREFIXES:
            self._signs = self._signs + 1 if previous in _PREFIXES else 1
            self._check_depth(token, self._signs)
        elif kind == "LPAR":
            self._open(token, previous)
        elif kind == "RPAR":
            self._close()
        if kind in _SIGNS:
            self._extend_chain(token)
        elif kind in _BREAKS:
            self._chain = 0

    def _check_depth(self, token: Any, more: int) -> None:
        self.deepest = max(self.deepest, self._depth + more)
        if self._depth + more > MAX_DEPTH:
            raise too_deep(self._log, _span(token))

    def _open(self, token: Any, previous: str) -> None:
        self.in_list = previous == "LISTED"
        self._values = 1
        self._levels.append(1 + (self._signs if previous in _PREFIXES else 0))
        self._depth += self._levels[-1]
        self._check_depth(token, 0)

    def _close(self) -> None:
        self.in_list = False
        if self._levels:
            self._depth -= self._levels.pop()

    def _count_value(self, token: Any) -> None:
        self._values += 1
        if self._values > MAX_VALUES + 1:
            self._log.error("limit", f"a list has at most {MAX_VALUES:,} values", _span(token))
            raise TooMany

    def _extend_chain(self, token: Any) -> None:
        self._chain += 1
        if self._chain > MAX_CHAIN:
            message = f"a value has at most {MAX_CHAIN} + - * /"
            self._log.error("limit", message, _span(token))
            raise TooMany

    def _measure(self, token: Any) -> None:
        if not self.in_list:
            self._outside += _bytes(self._text[self._seen : token.end_pos])
        self._seen = token.end_pos
        if self._outside > MAX_TEXT:
            message = "a rule has at most 64 KiB beside the values of its lists"
            self._log.error("limit", message, _span(token), help=_REFER)
            raise TooMany


_SIGNS = frozenset({"PLUS", "MINUS", "STAR", "SLASH"})
_BREAKS = frozenset({"_AND", "_OR"})
_PREFIXES = frozenset({"NOT", "MINUS", "PREFIX"})
_WATCHED = _SIGNS | _BREAKS | _PREFIXES | {"_COMMA", "LPAR", "RPAR"}


def _span(token: Any) -> Span:
    return Span(token.start_pos, token.end_pos)
