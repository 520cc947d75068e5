"""`include=`: what an answer holds beside the object itself, as words with commas between."""

from typing import Any

from fastapi import Query


def including(*words: str) -> Any:
    """The query parameter that takes these words."""
    one = "|".join(words)
    description = f"of {', '.join(words)}; with commas between"
    return Query(pattern=f"^((({one}),)*({one}))?$", description=description)


def included(given: str) -> tuple[str, ...]:
    """The words of a checked `include`."""
    return tuple(given.split(",")) if given else ()
