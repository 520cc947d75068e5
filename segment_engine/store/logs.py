"""The logs of a process of the service, as JSON lines."""

import logging
import sys
from typing import Any, TextIO

import structlog


def configure(stream: TextIO = sys.stderr, level: int = logging.WARNING) -> None:
    """Writes all logs of the process to the stream, ours and those of libraries, as JSON."""
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, written], logger_factory=structlog.WriteLoggerFactory(stream)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[*shared, _only_event, written])
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _only_event(_: Any, __: str, event: Any) -> Any:
    return {key: value for key, value in event.items() if not key.startswith("_")}
