"""The worker: a process of its own that does the jobs of a store.

`python -m segment_engine.store.worker` is told the store as the service is, by its environment. It
ends when it is told to, and when the process that started it is gone; what it had begun then is
finished, or goes back to the queue.
"""

import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from segment_engine.errors import NotFound, StoreError
from segment_engine.garbage import look_seldom
from segment_engine.store import delivering, importing, syncing
from segment_engine.store.imports import KIND as IMPORT
from segment_engine.store.jobs import Job, Lost
from segment_engine.store.logs import configure
from segment_engine.store.outbox import KIND as DELIVER
from segment_engine.store.schedule import Schedule
from segment_engine.store.settings import Settings, settings
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.syncs import KIND as SYNC

NETWORK_POLL_S = 1.0
POLL_S, HEARTBEAT_S, SCHEDULE_S, DELETE_S = 0.3, 3.0, 5.0, 600.0
GRACE_S = 8.0
"""How long a job may go on when the worker is to end."""
PARENT = "SEGMENT_ENGINE_PARENT"
"""The number of the process that started the worker."""

log = logging.getLogger("segment_engine.worker")

Doing = Callable[[OrganizationStore, Job], str]
"""Does a job, and ends it in the transaction of its effects; what there is to be logged of it."""


def materialize(store: OrganizationStore, job: Job) -> str:
    """A run of the organization."""
    made = store.runs.run(job)
    return f"generation={made.number} asked={made.asked} duration_ms={made.duration_ms}"


LANES: tuple[dict[str, Doing], ...] = (
    {"materialize": materialize, IMPORT: importing.run},
    {DELIVER: delivering.run},
    {SYNC: syncing.run},
)
"""What is done for each kind of job. The kinds of a lane are done one at a time, beside those of
the others: what waits for a network holds up no run."""


class Worker:
    """Does jobs, one a lane at a time, until it is told to end."""

    def __init__(self, store: Store, time_run_minutes: float, parent: int | None = None) -> None:
        """`parent` is the process with which this one ends."""
        self._parent, self._ending = parent, Event()
        self._schedule = Schedule(store, time_run_minutes * 60)
        self.lanes = [Lane(store, doing, self._ended) for doing in LANES]

    def end(self) -> None:
        """The jobs that run may be finished, for a while."""
        if not self._ending.is_set():
            self._ending.set()
            late = Timer(GRACE_S, self._let_go)
            late.daemon = True
            late.start()

    def _let_go(self) -> None:
        """Gives the jobs back and ends the process: what computes cannot be interrupted."""
        for lane in self.lanes:
            lane.let_go()
        os._exit(0)

    def work(self) -> None:
        """Does jobs, and what is due by the clock however many jobs wait, until `end`."""
        pauses = (POLL_S, *[NETWORK_POLL_S] * (len(self.lanes) - 1))
        threads = [
            Thread(target=self._work, args=given) for given in zip(self.lanes, pauses, strict=True)
        ]
        for thread in threads:
            thread.start()
        self._watch_clock()
        for thread in threads:
            thread.join()

    def _work(self, lane: "Lane", pause_s: float) -> None:
        while not self._ended():
            if not self._guarded(lane.next):
                self._ending.wait(pause_s)

    def _watch_clock(self) -> None:
        due = {self._schedule.want_due: SCHEDULE_S, self._schedule.delete_old: DELETE_S}
        left = dict.fromkeys(due, 0.0)
        while not self._ended():
            for what, every in due.items():
                left[what] -= POLL_S
                if left[what] <= 0:
                    left[what] = every
                    self._guarded(what)
            self._ending.wait(POLL_S)

    def _ended(self) -> bool:
        if self._parent is not None and os.getppid() != self._parent:
            self.end()
        return self._ending.is_set()

    def _guarded(self, what: Callable[[], Any]) -> Any:
        """What it gives; None where the database cannot be asked now: it is asked again later."""
        try:
            return what()
        except Exception as error:
            _log_error("fault", error)
            self._ending.wait(POLL_S)
            return None


class Lane:
    """The jobs of some kinds, one at a time."""

    def __init__(self, store: Store, doing: Mapping[str, Doing], ended: Callable[[], bool]) -> None:
        """`doing` says what is done by kind; `ended` whether the worker is to end."""
        self._store, self._doing, self._ended = store, doing, ended
        self._host, self._process = this_host(), os.getpid()
        self._job: Job | None = None

    def next(self) -> bool:
        """Does the next job; whether there was one."""
        job = self._store.jobs.claim(self._host, self._process, tuple(self._doing))
        if job is None:
            return False
        self._job = job
        try:
            with Heartbeat(self._store, job, self._ended):
                self._do(job)
        finally:
            self._job = None
        return True

    def let_go(self) -> None:
        """The job that runs goes back to the queue."""
        if (job := self._job) is not None:
            with suppress(StoreError, SQLAlchemyError):
                self._store.jobs.release(job)

    def _do(self, job: Job) -> None:
        told = f"job={job.id} kind={job.kind} organization={job.organization}"
        try:
            found = self._doing[job.kind](self._store.of(job.organization), job)
            log.info("done %s %s", told, found)
        except Lost:
            log.warning("lost %s", told)
        except Exception as error:
            _log_error(f"failed {told} attempt={job.attempts}", error)
            with suppress(Lost):
                self._store.jobs.fail(job, _reason(error), not isinstance(error, NotFound))


class Heartbeat:
    """Says that a job's worker lives as long as the block runs."""

    def __init__(self, store: Store, job: Job, ended: Callable[[], bool]) -> None:
        """`ended` is asked now and then, since nobody else can while a job runs."""
        self._store, self._job, self._asked = store, job, ended
        self._over = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        waited = 0.0
        while not self._over.wait(POLL_S):
            self._asked()
            waited += POLL_S
            if waited >= HEARTBEAT_S:
                waited = 0.0
                try:
                    self._store.jobs.heartbeat(self._job)
                except Lost:
                    return  # what the job would change is refused
                except (StoreError, SQLAlchemyError) as error:
                    _log_error("no heartbeat", error)


def _reason(error: Exception) -> str:
    """Why a job failed, for whoever may see the organization: no paths, nothing that was read."""
    if isinstance(error, StoreError):
        return error.message
    return f"the run ended with {type(error).__name__}; the log of the worker tells more"


def _log_error(what: str, error: BaseException) -> None:
    """No message: it may hold what was read."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = ",".join(f"{Path(one.filename).name}:{one.lineno}" for one in frames)
    log.error("%s error=%s at=%s", what, type(error).__name__, places)


def this_host() -> str:
    """What process numbers are of: the host since it was started, and a container's own ones."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def work(given: Settings, parent: int | None = None) -> None:
    """Does the jobs of the store that the settings name, until SIGTERM or the parent's end.

    Raises StoreError where the store cannot be opened.
    """
    store = given.opened()
    worker = Worker(store, given.time_run_minutes, parent)
    signal.signal(signal.SIGTERM, lambda *_: worker.end())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all; who started us decides
    try:
        worker.work()
    finally:
        store.close()


def main(environment: Mapping[str, str]) -> None:
    """The process of a worker."""
    look_seldom()
    configure()
    log.setLevel(logging.INFO)
    parent = environment.get(PARENT, "")
    work(settings(), int(parent) if parent.isdigit() else None)


if __name__ == "__main__":
    try:
        main(os.environ)
    except StoreError as fault:
        sys.exit(str(fault))
