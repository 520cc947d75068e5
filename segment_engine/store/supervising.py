"""The worker's process, kept alive by the service that it belongs to."""

import logging
import os
import subprocess
import sys
from threading import Event, Thread

from segment_engine.store.worker import GRACE_S, PARENT

FIRST_S, MOST_S = 0.2, 30.0
"""How long a process that died is waited for before the next is started: more each time."""
LIVED_S = 60.0
"""A process that lived so long had no trouble with its start."""

log = logging.getLogger("segment_engine.worker")


class Supervisor:
    """Starts a worker, and another one whenever it has died, until it is told to stop.

    A context. Settings reach the worker by the environment, which no other user can read.
    """

    def __init__(self) -> None:
        self._environment = {**os.environ, PARENT: str(os.getpid())}
        self._stopping = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> "Supervisor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> int | None:
        """The number of the worker's process; None while there is none."""
        held = self._process
        return held.pid if held is not None and held.poll() is None else None

    def stop(self) -> None:
        """Ends the worker: what it does may be finished for a while."""
        self._stopping.set()
        self._thread.join()
        held = self._process
        if held is None:
            return
        held.terminate()
        try:
            held.wait(GRACE_S + 2)
        except subprocess.TimeoutExpired:
            held.kill()
            held.wait()

    def _watch(self) -> None:
        pause = FIRST_S
        while not self._stopping.is_set():
            held = self._process = self._start()
            lived = 0.0
            while held.poll() is None and not self._stopping.wait(FIRST_S):
                lived += FIRST_S
            if self._stopping.is_set():
                return
            log.error("worker ended code=%s", held.returncode)
            pause = FIRST_S if lived >= LIVED_S else min(2 * pause, MOST_S)
            self._stopping.wait(pause)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "segment_engine.store.worker"]
        return subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL)
