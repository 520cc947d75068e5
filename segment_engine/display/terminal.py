"""Blocks as rich draws them. The only module beside the command line that imports rich."""

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from segment_engine.display.words import Block, Kind, Table, Words

STYLES: dict[Kind, str] = {
    "mark": "dim",
    "field": "cyan",
    "operator": "bold",
    "keyword": "magenta",
    "function": "bold",
    "text": "green",
    "number": "yellow",
    "time": "blue",
    "truth": "red",
    "comment": "dim italic",
    "error": "bold red",
    "warning": "bold yellow",
    "hint": "bold cyan",
}


def drawn(blocks: Iterable[Block]) -> Group:
    """The blocks, one below the other."""
    return Group(*map(_block, blocks))


def _block(block: Block) -> Text | RichTable:
    return _table(block) if isinstance(block, Table) else _text(block)


def _text(words: Words) -> Text:
    return Text.assemble(*((word.text, STYLES.get(word.kind, "")) for word in words))


def _table(table: Table) -> RichTable:
    drawn = RichTable(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for at, heading in enumerate(table.headings):
        right = at in table.right
        drawn.add_column(Text(heading), justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(_text, row))
    return drawn
