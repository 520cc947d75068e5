"""A receiver of webhooks on the loopback: it keeps what it is sent, and answers as it is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from segment_engine.webhooks import verify

Handler = BaseHTTPRequestHandler


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def told(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message

    def verified(self, secret: str) -> dict[str, Any]:
        return verify(secret, self.headers, self.body, now=self.at)


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    """An answer without a body; of headers `_` is a hyphen."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Receiver:
    """`answers` are given in turn, and 204 behind them; `received` is in the order of coming."""

    def __init__(self, url: str) -> None:
        self.url, self.received = url, list[Received]()
        self.answers: list[Callable[[Handler], None]] = []

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]

    def take(self) -> list[dict[str, Any]]:
        """What was told since the last time."""
        told = [one.told for one in self.received]
        self.received.clear()
        return told


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver that listens, on any port unless one is given."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items())
            held.received.append(Received(self.path, headers, body, time.time()))
            answer = held.answers.pop(0) if held.answers else status(204)
            try:
                answer(self)
            except OSError:  # whoever asked has gone
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Answering)
    server.daemon_threads = True
    held = Receiver(f"http://127.0.0.1:{server.server_port}/hook?key=secret")
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
