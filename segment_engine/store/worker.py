"""The worker: a process beside the servers that runs the jobs, and asks for runs as time goes by.

    python -m segment_engine.store.worker

It reads its settings from the environment, ends with its parent, and on SIGTERM gives back the job
that it has not finished. `Supervisor` starts it, and starts it again when it has died.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from types import FrameType

from segment_engine.errors import SegmentError
from segment_engine.store.jobs import Job, Lost
from segment_engine.store.logs import configure
from segment_engine.store.replies import Replies
from segment_engine.store.schedule import ask_for_due
from segment_engine.store.settings import Settings, settings
from segment_engine.store.store import Store

LOG = logging.getLogger(__name__)
REST_S, BEAT_S, SCHEDULE_S, SWEEP_S = 0.3, 3.0, 5.0, 600.0
ENDS_S = 10.0
"""How long a worker that is told to end may take before it is killed."""
SOONEST_S, LATEST_S = 0.2, 30.0
"""Seconds before a worker that died is started again: twice as many each time, up to the last."""


class Worker:
    """One worker of a store."""

    def __init__(self, store: Store, told: Settings) -> None:
        self._store, self._time_run_s = store, told.time_run_minutes * 60
        self._host, self._process = socket.gethostname(), os.getpid()
        self._parent = os.getppid()
        self._ended = threading.Event()
        self._replies = Replies(store.database)

    def end(self, *_: object) -> None:
        """Lets it end after the job that it has."""
        self._ended.set()

    def work(self) -> None:
        """Runs jobs until it is told to end, or its parent has."""
        rests = 0
        while not self._over():
            if rests % round(SCHEDULE_S / REST_S) == 0:
                self._try(self._schedule)
            if rests % round(SWEEP_S / REST_S) == 0:
                self._try(self._replies.forget_old)
            if not self._try(self._next):
                rests += 1
                self._ended.wait(REST_S)

    def _over(self) -> bool:
        return self._ended.is_set() or os.getppid() != self._parent

    def _try(self, what: "object") -> bool:
        """What fails is told and tried again later: a database may be out of reach for a while."""
        assert callable(what)
        try:
            return bool(what())
        except Exception as fault:
            LOG.error("worker: %s", type(fault).__name__)
            return False

    def _schedule(self) -> None:
        for organization in self._store.organizations.list():
            ask_for_due(self._store.database, organization, self._time_run_s)

    def _next(self) -> bool:
        job = self._store.jobs.claim(self._host, self._process)
        if job is None:
            return False
        with _Beating(self._store, job):
            self._run(job)
        return True

    def _run(self, job: Job) -> None:
        try:
            made = self._store.of(job.organization).runs.run(job)
            LOG.info(
                "run: organization=%s generation=%s asked=%s duration_ms=%s",
                *(job.organization, made.number, made.asked, made.duration_ms),
            )
        except Lost:
            LOG.warning("run: organization=%s lost its job", job.organization)
        except Exception as fault:
            # A rule's or a consumer's text may be in what other errors say.
            reason = str(fault) if isinstance(fault, SegmentError) else type(fault).__name__
            LOG.error("run: organization=%s failed=%s", job.organization, type(fault).__name__)
            self._store.jobs.fail(job, reason)


class _Beating:
    """Says that the worker lives as long as a job runs."""

    def __init__(self, store: Store, job: Job) -> None:
        self._store, self._job = store, job
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            try:
                self._store.jobs.heartbeat(self._job)
            except Lost:
                return
            except Exception as fault:
                LOG.warning("heartbeat: %s", type(fault).__name__)


class Supervisor:
    """Keeps a worker alive beside this process, as a context."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Supervisor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        pause = SOONEST_S
        while not self._over.is_set():
            child = self._child = subprocess.Popen(
                [sys.executable, "-m", "segment_engine.store.worker"], stdin=subprocess.DEVNULL
            )
            while child.poll() is None and not self._over.wait(REST_S):
                pause = max(SOONEST_S, pause - REST_S / 10)
            if not self._over.is_set():
                LOG.error("the worker ended with %s, another one is started", child.returncode)
                self._over.wait(pause)
                pause = min(2 * pause, LATEST_S)
        self._stop()

    def _stop(self) -> None:
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def main() -> None:
    """The process of a worker."""
    configure(level=logging.INFO)
    told = settings()
    store = told.opened()
    worker = Worker(store, told)

    def end(_: int, __: FrameType | None) -> None:
        worker.end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.work()
    store.close()


if __name__ == "__main__":
    main()
