"""Consumers from wherever they are: files, frames, tables, relations, dicts, for any engine."""

from segment_engine.backends.sources.for_rules import open_for
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.backends.sources.tables import limit

__all__ = ["Source", "limit", "open_for", "open_source"]
