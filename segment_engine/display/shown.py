"""What shows itself: a notebook asks for HTML, rich for what it draws."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from segment_engine.display.words import Block
from segment_engine.parts import part


class Shown(ABC):
    """Gives a class both displays for what it says in `_blocks`."""

    @abstractmethod
    def _blocks(self) -> Sequence[Block]:
        """Paragraphs and tables, from top to bottom."""

    def _repr_html_(self) -> str:
        """HTML for Jupyter: every text escaped, colours that read on light and on dark."""
        return str(part("notebook").html(self._blocks()))

    def __rich__(self) -> Any:
        """What rich draws."""
        return part("terminal").drawn(self._blocks())
