"""Proposing a schema for consumers that nobody described yet."""

from segment_engine.backends.inference.ids import identifying
from segment_engine.backends.inference.inferring import infer

__all__ = ["identifying", "infer"]
