"""Every error that a user's mistake can raise.

    SegmentError
      RuleError      a rule is wrong, or rule rows cannot say it: .diagnostics, .source
      SchemaError    a schema is wrong
      SourceError    consumers cannot be read, or do not fit the schema
      CatalogError   a catalog is wrong, or an audience of it: .findings (catalog/findings.py)
      RunError       a run was asked for that cannot be: bad as_of, zone, engine, ids
      OutputError    results cannot be written, or not be read again

All are ValueErrors as well, and pickle.
"""

from collections.abc import Sequence

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.picture import drawn
from segment_engine.display.shown import Shown
from segment_engine.display.words import Words, plain, said


class SegmentError(ValueError):
    """The root of all errors that segment_engine raises on purpose."""


class SchemaError(SegmentError):
    """A schema is wrong; the message names the field and how to mend it."""


class SourceError(SegmentError):
    """Consumers cannot be read or do not fit the schema; the message names the column."""


class RunError(SegmentError):
    """A run cannot be made as asked: a bad `as_of`, time zone, engine name or id column."""


class OutputError(SegmentError):
    """Results cannot be written, and what was there is untouched; or not be read again."""


SHOWN = 20
"""How many findings `str(error)` draws; `diagnostics` holds all."""


class RuleError(Shown, SegmentError):
    """A rule is wrong.

    `diagnostics` holds every finding (errors first); `source` is the rule's text, or "" where
    it came as JSON. `str(error)` is the pictures.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...], source: str = "") -> None:
        super().__init__(diagnostics, source)
        self.diagnostics = diagnostics
        self.source = source

    def __str__(self) -> str:
        return "\n".join(map(plain, self._blocks()))

    def _blocks(self) -> Sequence[Words]:
        shown = [item for item in self.diagnostics if item.severity == "error"]
        pictures = [drawn(item, self.source) for item in shown[:SHOWN]]
        more = len(shown) - SHOWN
        return pictures + [said(f"... and {more:,} more")] * (more > 0)
