"""The heavy parts, loaded when they are first needed: checking and matching need none of them."""

from importlib import import_module
from types import ModuleType

ENGINES = ("snapshot", "duckdb", "polars", "records")

_MODULES = {
    "duckdb": "segment_engine.backends.duckdb_engine",
    "polars": "segment_engine.backends.polars_engine",
    "records": "segment_engine.backends.records_engine",
    "changes": "segment_engine.backends.changes",
    "snapshot": "segment_engine.batch.snapshot_engine",
    "sources": "segment_engine.backends.sources",
    "fitting": "segment_engine.backends.sources.fitting",
    "inference": "segment_engine.backends.inference",
    "preview": "segment_engine.backends.preview",
    "explain": "segment_engine.backends.explain",
    "seen": "segment_engine.backends.seen",
    "terminal": "segment_engine.display.terminal",
    "notebook": "segment_engine.display.notebook",
    "batch": "segment_engine.batch.materialize",
    "matcher": "segment_engine.batch.matcher",
    "lists": "segment_engine.batch.lists",
    "manifest": "segment_engine.batch.manifest",
    "publishing": "segment_engine.batch.publishing",
    "generations": "segment_engine.batch.generations",
    "difference": "segment_engine.batch.difference",
    "serve": "segment_engine.api.serve",
    "exports": "segment_engine.batch.exports",
    "settings": "segment_engine.store.settings",
    "steps": "segment_engine.store.steps",
    "loading": "segment_engine.store.loading",
    "import_here": "segment_engine.store.import_here",
    "sync_here": "segment_engine.store.sync_here",
}


def part(name: str) -> ModuleType:
    """The module that is called so in this table; all engines have the same functions."""
    return import_module(_MODULES[name])
