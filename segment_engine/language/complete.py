"""What may be typed at a place of a rule: fields, operators of the type, values, keywords.

The parser says which kinds of tokens may come and what stands before them, the operator table
which words those are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from segment_engine.diagnostics.spans import Span
from segment_engine.expression.schema import Schema
from segment_engine.language.offers import Kind, Offer, Seen, offers
from segment_engine.language.standing import Standing, standings


@dataclass(frozen=True, slots=True)
class Completion:
    """One thing that may be typed: `text` takes the place of the characters `span`.

    `kind` is field, operator, value, keyword, function, unit or period; `label` is what a list
    shows; `detail` (a type or the like) and `doc` (a sentence or two) may be "".
    """

    text: str
    span: Span
    kind: Kind
    label: str
    detail: str = ""
    doc: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{text, start, end, kind, label, detail, doc}`, ready for `json.dumps`."""
        place = {"start": self.span.start, "end": self.span.end}
        told = {"kind": self.kind, "label": self.label, "detail": self.detail, "doc": self.doc}
        return {"text": self.text, **place, **told}


def complete(text: str, cursor: int, schema: Schema, seen: Seen) -> tuple[Completion, ...]:
    """What may stand at the offset `cursor`, where it begins as what is typed there.

    `seen` are values of fields by name. None for query-builder JSON and in comments.
    """
    cursor = min(max(cursor, 0), len(text))
    before = text[:cursor]
    if before.lstrip().startswith("{"):
        return ()
    found = [
        (at.mended, tuple(_at(text, cursor, at, seen, schema))) for at in standings(before, schema)
    ]
    least = min((mended for mended, some in found if some), default=0)
    whole: dict[str, Completion] = {}
    for made in chain.from_iterable(some for mended, some in found if mended == least):
        whole.setdefault(before[: made.span.start] + made.text, made)
    return tuple(whole.values())


def _at(text: str, cursor: int, at: Standing, seen: Seen, schema: Schema) -> Iterator[Completion]:
    """What may begin at one place and goes on as what is typed since, unless it is just that."""
    typed = text[at.start : cursor]
    before = " " if not typed and text[cursor - 1 : cursor].strip(_OPEN) else ""
    after = " " if not typed and _WORD.match(text, cursor) else ""
    for offer in offers(at, schema, seen, typed):
        if _begins(offer, _normal(typed)):
            span = Span(at.start, _end(text, at.start, cursor, offer))
            if text[span.start : span.end] != offer.text:
                whole = before + offer.text + after
                yield Completion(whole, span, offer.kind, offer.text, offer.detail, offer.doc)


_WORD = re.compile(r"\w")
_OPEN = " \t\r\n\f\v([`"


def _normal(typed: str) -> str:
    """In lower case, with single blanks between the words."""
    return re.sub(r"\s+", " ", typed).lower()


def _begins(offer: Offer, typed: str) -> bool:
    return any(known.lower().startswith(typed) for known in (offer.text, *offer.also))


def _end(text: str, start: int, cursor: int, offer: Offer) -> int:
    """The end of what is replaced: with the rest of a word, a quoted text or a phrase."""
    typed, opening = text[start:cursor], text[start : start + 1]
    if typed and opening in "\"'`":
        return cursor + _to_the_quote(typed, text[cursor:].split("\n", 1)[0], opening)
    if not _GOES_ON.search(typed):
        return cursor
    end = _REST_OF_WORD.match(text, cursor).end()  # type: ignore[union-attr]
    while (more := _NEXT_WORD.match(text, end)) and _begins(
        offer, _normal(text[start : more.end()])
    ):
        end = more.end()
    return end


_GOES_ON = re.compile(r"[\w\s]\Z")
_REST_OF_WORD = re.compile(r"\w*")
_NEXT_WORD = re.compile(r"(?:\s*|\.)\w+")


def _to_the_quote(typed: str, rest: str, opening: str) -> int:
    """How far the closing quote is; 0 where it was typed, or where the others need theirs."""
    closed = len(typed) > 1 and typed.endswith(opening)
    return 0 if closed or rest.count(opening) % 2 == 0 else rest.index(opening) + 1
