"""Blocks as HTML. Pieces have a class, `segment-engine-field`, and a colour of their own."""

from collections.abc import Iterable
from html import escape

from segment_engine.display.words import Block, Kind, Table, Word, Words

COLOURS: dict[Kind, str] = {
    "mark": "#75787f",
    "field": "#337acc",
    "operator": "#8a65ca",
    "keyword": "#ad54bb",
    "function": "#8a65ca",
    "text": "#158b3c",
    "number": "#b96012",
    "time": "#0f8592",
    "truth": "#c44e89",
    "comment": "#75787f",
    "error": "#dd3d37",
    "warning": "#a16e08",
    "hint": "#1e8397",
}
"""All halfway between white and black, so that one set will do for both backgrounds."""

_WRAPPED = "white-space: pre-wrap; text-align: left; margin: 0"


def html(blocks: Iterable[Block]) -> str:
    """The blocks, one below the other."""
    inside = "".join(map(_block, blocks))
    return f'<div class="segment-engine">{inside}</div>'


def _block(block: Block) -> str:
    return _table(block) if isinstance(block, Table) else _paragraph(block)


def _paragraph(words: Words) -> str:
    return f'<pre style="{_WRAPPED}">{"".join(map(_word, words))}</pre>'


def _word(word: Word) -> str:
    colour, text = COLOURS.get(word.kind), escape(word.text)
    if colour is None:
        return text
    return f'<span class="segment-engine-{word.kind}" style="color: {colour}">{text}</span>'


def _table(table: Table) -> str:
    headings = "".join(
        f'<th style="text-align: {_side(table, at)}">{escape(heading)}</th>'
        for at, heading in enumerate(table.headings)
    )
    rows = "".join(f"<tr>{''.join(_cells(table, row))}</tr>" for row in table.rows)
    return f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(table: Table, row: tuple[Words, ...]) -> Iterable[str]:
    for at, words in enumerate(row):
        style = f"white-space: pre-wrap; text-align: {_side(table, at)}; vertical-align: top"
        yield f'<td style="{style}">{"".join(map(_word, words))}</td>'


def _side(table: Table, column: int) -> str:
    return "right" if column in table.right else "left"
