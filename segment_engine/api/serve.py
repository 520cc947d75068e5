"""`segment-engine serve`: the service on a socket and its worker, until it is told to end."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from segment_engine.api.settings import ServiceSettings
from segment_engine.errors import StoreError
from segment_engine.store.logs import configure
from segment_engine.store.settings import told
from segment_engine.store.supervising import Supervisor

GRACE_S = 10
"""How long requests that run may go on when the service is to end."""
STARTS_S = 60
"""A process that says nothing for so long is taken to hang."""
APP = "segment_engine.api.app:from_environment"
BACKLOG = 2_048
IDLE_S = 75
"""How long a connection is kept for the next request: longer than a load balancer keeps it, which
would ask on one that is closed at that moment.
"""


def serve(host: str, port: int, workers: int, store: str | None = None) -> None:
    """Serves until SIGTERM or SIGINT; `port` 0 is one that is free, `store` a URL.

    Raises StoreError where the store or the address cannot be used.
    """
    if store is not None:
        os.environ["SEGMENT_ENGINE_STORE"] = store  # for the processes that serve
    told(ServiceSettings).opened().close()
    configure()
    with _bound(host, port) as listening, _told_to_end(), Supervisor():
        config = _configured(workers)
        sys.stdout.write(f"listening on http://{_shown(listening)}\n")
        sys.stdout.flush()
        if workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _configured(workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        APP,
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=IDLE_S,
        timeout_worker_healthcheck=STARTS_S,
    )


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. Raises StoreError where something else does, or may."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as fault:
        reason = getattr(fault, "strerror", None) or "it is no address"
        raise StoreError(f"cannot listen on {host} port {port}: {reason}") from None
    with made:
        made.set_inheritable(True)
        # Connections inherit it. asyncio leaves it out where it cannot tell that it is TCP; then
        # the body of an answer waits 40 ms for the client to acknowledge the head.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _told_to_end() -> Iterator[None]:
    """uvicorn raises the signal again that it ended for; what surrounds it is to end as well."""

    def ignored(_: int, __: FrameType | None) -> None: ...

    before = {one: signal.signal(one, ignored) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
