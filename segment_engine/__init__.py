"""Audience segmentation: one typed rule, the same members on every engine.

>>> from segment_engine import Engine
>>> rule = Engine().rule('totalOrders >= 3 and email ends with "@example.com"')
>>> rule.matches({"totalOrders": 5, "email": "ada@example.com"})
True
"""

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError
from segment_engine.diagnostics.diagnostic import Diagnostic, Fix
from segment_engine.discovery import infer_schema
from segment_engine.engine import Engine
from segment_engine.errors import (
    OutputError,
    RuleError,
    RunError,
    SchemaError,
    SegmentError,
    SourceError,
)
from segment_engine.expression.schema import Schema
from segment_engine.rule import Rule

__version__ = "0.1.0"

__all__ = [
    "Catalog",
    "CatalogError",
    "Diagnostic",
    "Engine",
    "Fix",
    "OutputError",
    "Rule",
    "RuleError",
    "RunError",
    "Schema",
    "SchemaError",
    "SegmentError",
    "SourceError",
    "infer_schema",
]
