"""Consumers from wherever they are: files, frames, tables, relations, dicts, for any engine."""

from segment_engine.backends.sources.for_rules import columns_read, open_for
from segment_engine.backends.sources.opening import Source, open_source

__all__ = ["Source", "columns_read", "open_for", "open_source"]
