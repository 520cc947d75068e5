"""The store that a command works on, and what its commands are given."""

from typing import TYPE_CHECKING, Annotated

import typer

from segment_engine.errors import StoreError
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.store.store import Store

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME; else what SEGMENT_ENGINE_STORE says, "
        "or sqlite:///segment-engine.db.",
    ),
]
Organization = Annotated[
    str, typer.Argument(metavar="ORG", help="The organization, by name or id.")
]


def opened(url: str | None) -> "Store":
    """The store of the URL, else the one of the environment. Raises StoreError."""
    try:
        settings = part("settings").settings(store=url)
    except ModuleNotFoundError as lacking:
        raise StoreError(
            f"the store needs {lacking.name}, which is not installed: "
            "pip install 'segment-engine[api]'"
        ) from None
    store: Store = settings.opened()
    return store
