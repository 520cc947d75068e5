"""A Klaviyo on this machine, for tests: the part of its API that has to do with lists.

Written to Klaviyo's documents and driven by its official client; it knows nothing of ours.
`python -m tests.klaviyo.peer --profiles 200000` serves a list of so many and prints where.
"""

import argparse
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from tests.klaviyo.account import Account, filled
from tests.klaviyo.endpoints import ROUTES, Asked, Bad, Cursors, get_members
from tests.klaviyo.faults import Answer, Fault, failing

KEY = "pk_0123456789abcdef0123456789abcdef"
REVISIONS = frozenset(["2026-10-15", "2026-07-15"])
BURST, STEADY = 75, 700


class Limits:
    """Fixed windows of a second and of a minute, for each endpoint; `clock` is in seconds."""

    def __init__(self, burst: int, steady: int) -> None:
        self.sizes = {1: burst, 60: steady}
        self.clock, self.refused = time.monotonic, 0
        self._asked: dict[tuple[str, int], tuple[int, int]] = {}

    def take(self, endpoint: str) -> tuple[int, dict[str, str]]:
        """The seconds to wait, 0 for none, and the headers of an answer."""
        now, left = self.clock(), 0
        for length, most in self.sizes.items():
            window, (last, asked) = int(now // length), self._asked.get((endpoint, length), (0, 0))
            asked = asked + 1 if window == last else 1
            self._asked[endpoint, length] = window, asked
            left = most - asked
            if left < 0:
                self.refused += 1
                return max(1, ceil((window + 1) * length - now)), {}
        burst, steady = self.sizes.values()
        return 0, {
            "ratelimit-limit": f"{steady}, {burst};w=1, {steady};w=60",
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(60 - int(now % 60)),
        }


class Peer:
    """Serves an account until `close`. Its methods may be called from any thread.

    `by_place` makes cursors of places in place of people, so that who leaves a list moves others.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        port: int = 0,
        burst: int = BURST,
        steady: int = STEADY,
        by_place: bool = False,
    ) -> None:
        self.account = account or Account()
        self.keys = {KEY}
        self.limits = Limits(burst, steady)
        self.requests: deque[tuple[str, str]] = deque(maxlen=10_000)
        """Method and path with its query, of those that came last."""
        self.asked = self.pages = 0
        self._cursors = Cursors(by_place)
        self.lock = threading.RLock()
        self._faults: list[tuple[range, Fault]] = []
        self._hooks: dict[int, Callable[[], object]] = {}
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.peer = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections, also those that clients keep."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._server.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fault(self, fault: Fault, at: int = 1, times: int = 1) -> None:
        """The `at`-th request from now on, and so many, are answered by what `fault` makes."""
        with self.lock:
            first = self.asked + at
            self._faults.append((range(first, first + times), fault))

    def mend(self) -> None:
        with self.lock:
            self._faults.clear()

    def after_page(self, number: int, change: Callable[[], object]) -> None:
        """Calls `change` once the `number`-th page of a list from now on is read."""
        with self.lock:
            self._hooks[self.pages + number] = change

    def expire_cursors(self) -> None:
        with self.lock:
            self._cursors.era += 1

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        with self.lock:
            self.asked += 1
            number = self.asked
            self.requests.append((method, target))
            try:
                answer = self._answered(method, target, headers, body)
            except Bad as bad:
                answer = bad.answer
            for numbers, fault in self._faults:
                if number in numbers:
                    answer = fault(answer)
            return answer

    def _answered(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme != "Klaviyo-API-Key" or not key:
            raise Bad(401, "Missing or invalid authorization scheme. Please use Klaviyo-API-Key.")
        if key not in self.keys:
            raise Bad(401, "Incorrect authentication credentials.")
        if headers.get("revision") not in REVISIONS:
            raise Bad(400, "A valid revision header is required.")
        path = urlsplit(target).path.rstrip("/")
        for verb, pattern, endpoint in ROUTES:
            if verb == method and (found := re.fullmatch(pattern, path)):
                wait, told = self.limits.take(endpoint.__name__)
                if wait:
                    again = f"Request was throttled. Expected available in {wait} seconds."
                    return failing(429, again, retry_after=str(wait))
                base = f"http://{headers.get('host')}"
                asked = Asked(self.account, self._cursors, base, target, body)
                status, document = endpoint(asked, *found.groups())
                if endpoint is get_members:
                    self._read_page()
                return Answer(status, json.dumps(document).encode() if document else b"", told)
        raise Bad(404, "The path could not be found.")

    def _read_page(self) -> None:
        self.pages += 1
        if change := self._hooks.pop(self.pages, None):
            change()


class _Server(ThreadingHTTPServer):
    peer: Peer
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: set[socket.socket] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.discard(request)

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._send(self.server.peer.answer(self.command, self.path, self.headers, body))

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.delay_s)
        kind = "application/vnd.api+json"
        headers = {"date": self.date_time_string(), "content-type": kind, **answer.headers}
        if answer.status != 204:
            headers["content-length"] = str(len(answer.body))
        lines = [f"HTTP/1.1 {answer.status} -", *(f"{key}: {one}" for key, one in headers.items())]
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
        if answer.sent is not None:
            whole, self.close_connection = whole[: int(len(whole) * answer.sent)], True
        head = len(whole) - len(answer.body)
        parts = {"head": range(head), "body": range(head, len(whole))}
        slow = parts[answer.paused] if answer.pause_s else range(0)
        self.wfile.write(whole[: slow.start])
        for at in slow:
            self.wfile.write(whole[at : at + 1])
            time.sleep(answer.pause_s)
        self.wfile.write(whole[slow.stop :])

    def log_message(self, *_: object) -> None:
        """A peer is silent."""


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--port", type=int, default=0)
    read.add_argument("--profiles", type=int, default=1_000)
    read.add_argument("--burst", type=int, default=BURST, help="requests a second")
    read.add_argument("--steady", type=int, default=STEADY, help="requests a minute")
    given = read.parse_args()
    account = Account()
    list_id = filled(account, given.profiles)
    peer = Peer(account, port=given.port, burst=given.burst, steady=given.steady)
    print(f"listening on {peer.url} key {KEY} list {list_id}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        peer.close()


if __name__ == "__main__":
    main()
