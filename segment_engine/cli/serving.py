"""The command that serves the HTTP API: serve."""

from typing import Annotated

import typer

from segment_engine.cli.stores import StoreUrl
from segment_engine.errors import StoreError
from segment_engine.parts import part


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 is one that is free.", max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)] = 1,
    store: StoreUrl = None,
) -> int:
    """Serve the Audiences API until SIGTERM, with a process beside it that computes members.

    It prints where it listens. Logs are JSON lines on stderr, and tell nothing of consumers.

    \b
    Example:
        segment-engine serve --port 8000 --workers 2
    """
    try:
        serving = part("serve")
    except ModuleNotFoundError as lacking:
        raise StoreError(
            f"the service needs {lacking.name}, which is not installed: "
            "pip install 'segment-engine[api]'"
        ) from None
    serving.serve(host, port, workers, store)
    return 0
