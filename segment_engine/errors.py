"""Every error that a user's mistake can raise.

    SegmentError
      RuleError      a rule is wrong, or rule rows cannot say it: .diagnostics, .source
      SchemaError    a schema is wrong
      SourceError    consumers cannot be read, or do not fit the schema
      CatalogError   a catalog is wrong, or an audience of it: .findings (catalog/findings.py)
      RunError       a run was asked for that cannot be: bad as_of, zone, engine, ids
      OutputError    results cannot be written, or not be read again
      SyncFault      a list that is kept elsewhere cannot be read (syncing/source.py)
      StoreError     the store cannot be used as asked
        NotFound     there is no such thing in it
        Invalid      what it is given is wrong: .problems
        Conflict     what it has speaks against it: .problems
          RevisionConflict  it was changed since the revision that was named

All are ValueErrors as well, and pickle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in what the store was given.

    `field` is a path as in the JSON of the API, such as `rules.0.values` or `consumers.3.email`;
    `span` is of an expression's text, from and to which character.
    """

    field: str
    message: str
    code: str = "invalid"
    span: tuple[int, int] | None = None


class StoreError(SegmentError):
    """The store cannot be opened, or not be used as asked."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, tuple(problems))
        self.message, self.problems = message, tuple(problems)

    def __str__(self) -> str:
        return self.message


class NotFound(StoreError):
    """There is no such thing, or it is another organization's."""


class Invalid(StoreError):
    """What the store is given is wrong."""


class Conflict(StoreError):
    """What the store is asked for is right, and cannot be as things stand in it."""


class RevisionConflict(Conflict):
    """What is to be changed was changed since the revision that was named."""


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
