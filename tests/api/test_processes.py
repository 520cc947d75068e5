"""`serve --workers 2`: two processes answer, one does the jobs, and all of them end together."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.processes import ANSWERS, WORKER, called, children, lives
from tests.api.serving import AUDIENCES, Served, Shop, answered

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def until(found: Callable[[], Any], within: float = 60) -> Any:
    end = time.monotonic() + within
    while not (told := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return told


def answering(service: Served) -> list[int]:
    """The two processes that answer."""
    own = service.process.pid
    return until(lambda: len(told := called(own, ANSWERS)) == 2 and told)


def ask(shop: Shop) -> None:
    """On a connection of its own, that whoever can takes."""
    with shop.served.client(shop.secret) as client:
        answered(client.get(AUDIENCES, timeout=120))


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Served:
    made = Served(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", "--workers", "2")

    def end() -> None:
        for process in (*children(made.process.pid), made.process.pid):
            os.kill(process, signal.SIGKILL)
        made.process.wait()

    request.addfinalizer(lambda: made.process.poll() is None and end())
    return made


def test_several_processes_answer_and_end_together(service: Served) -> None:
    shop, own = Shop(service), service.process.pid
    for process in answering(service):
        os.kill(process, signal.SIGSTOP)
        ask(shop)  # the other one alone can answer
        os.kill(process, signal.SIGCONT)
    first, second = answering(service)
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in answering(service))
    os.kill(second, signal.SIGSTOP)
    ask(shop)  # by the process that has come instead
    os.kill(second, signal.SIGCONT)
    assert len(called(own, WORKER)) == 1
    shop.audience(expression="email exists")
    assert shop.publish() == 1

    every, end = list(children(own)), httpx.URL(service.address)
    body = b'{"name": "late", "type": "STATIC"}'
    head = (
        f"POST {AUDIENCES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    place = (str(end.host), int(end.port or 0))
    with socket.create_connection(place, 30) as begun, socket.create_connection(place, 30) as idle:
        begun.sendall(head.encode() + body[:9])
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(10_000).startswith(b"HTTP/1.1 200 ")
        service.process.terminate()
        while idle.recv(10_000):  # is closed as soon as the service ends
            pass
        begun.sendall(body[9:])
        assert begun.recv(10_000).startswith(b"HTTP/1.1 201 "), "what had begun is answered"
    shop.client.close()
    service.stop()
    until(lambda: not any(map(lives, every)))


def test_nobody_is_left_of_a_killed_service(service: Served) -> None:
    answering(service)
    with Shop(service).client as client:
        answered(client.get(AUDIENCES, timeout=120))
    every = list(children(service.process.pid))
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    until(lambda: not any(map(lives, every)))
