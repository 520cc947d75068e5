"""Questions to a vendor's API over HTTP: paced, asked again until a deadline, bounded in size.

The key is a header, so it is sent to one scheme, host and port only, and no redirect is followed.
"""

import ipaddress
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

import httpcore
import httpx

from segment_engine.syncing.source import SyncFault

Read = TypeVar("Read")
Sleep = Callable[[float], object]

MOST_BYTES = 32 * 1024**2
"""A page of 100 profiles has 10 MB where each is as large as Klaviyo lets one be made."""
MOST_LINK = 8_000
_SILENCE_S, _FIRST_S, _LONGEST_S = 15.0, 0.5, 20.0
_AHEAD_S = 6.0
"""Questions of so many seconds may come at once where none came for as long."""
_SOME, _ANY = 3, 1_000
_DIGITS_OF_INT = 100


class Misshapen(ValueError):
    """An answer is not of the documented shape; says where, without values."""


class _Passing(Exception):
    """A fault that may be over soon. The vendor may have told how long to wait."""

    def __init__(self, message: str, tries: int = _ANY, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.message, self.tries, self.wait_s = message, tries, wait_s


class Asking:
    """An account at a vendor. Threads do not share one."""

    def __init__(
        self,
        vendor: str,
        url: str,
        headers: Mapping[str, str],
        faults: Mapping[int, SyncFault],
        *,
        deadline_s: float,
        per_minute: float,
        sleep: Sleep = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`faults` are by status; `deadline_s` is for a question with all that is asked again.

        `per_minute` questions are asked in a minute, and a tenth more after a pause.
        Raises SyncFault for a `url` to which no key should be sent.
        """
        self._vendor, self._faults = vendor, faults
        self._deadline_s, self._sleep, self._clock = deadline_s, sleep, clock
        self._apart_s, self._due = 60 / per_minute, clock() - _AHEAD_S
        self._base = _base(url)
        self._socket: socket.socket | None = None
        self._client = httpx.Client(headers={"accept-encoding": "gzip", **headers})

    def ask(self, link: str, read: Callable[[Any], Read], faults: Mapping[int, SyncFault]) -> Read:
        """What `read` makes of the JSON at a link. Raises SyncFault.

        `faults` are those of this question by status; `read` may raise Misshapen.
        """
        url = self._own(link)
        end = self._clock() + self._deadline_s
        for tried in count(1):
            self._pace()
            try:
                return self._read(self._answer(url, end, {**self._faults, **faults}), read)
            except _Passing as fault:
                passing = fault
            grown = min(_LONGEST_S, _FIRST_S * 2 ** min(tried - 1, 10))
            wait = max(passing.wait_s, grown * random.uniform(0.5, 1))
            if tried >= passing.tries or self._clock() + wait > end:
                raise SyncFault(passing.message, temporary=True)
            self._sleep(wait)
        raise AssertionError

    def close(self) -> None:
        self._client.close()

    def _own(self, link: str) -> httpx.URL:
        """The link where it leads to the vendor: the key is sent nowhere else."""
        try:
            url = httpx.URL(link)
            origin = _origin(url)
        except (httpx.InvalidURL, ValueError):
            raise SyncFault(f"{self._vendor} gave a link that is none") from None
        if origin != _origin(self._base) or url.userinfo or len(link) > MOST_LINK:
            raise SyncFault(f"{self._vendor} gave a link to another host; the key stays here")
        return url

    def _pace(self) -> None:
        now = self._clock()
        self._due = max(now - _AHEAD_S, self._due) + self._apart_s
        if self._due > now:
            self._sleep(self._due - now)

    def _answer(self, url: httpx.URL, end: float, faults: Mapping[int, SyncFault]) -> bytes:
        left = max(end - self._clock(), 0.001)
        # The library's timeout is for each read, and a head may come in thousands of them.
        watch = threading.Timer(left, self._break_off)
        watch.daemon = True
        watch.start()
        try:
            asked = self._client.stream(
                "GET", url, timeout=min(_SILENCE_S, left), extensions={"trace": self._connected}
            )
            with asked as answer:
                self._judge(answer, faults)
                return self._body(answer, end)
        except httpx.RequestError as fault:
            if isinstance(fault, httpx.TimeoutException) or self._clock() >= end:
                raise _Passing(f"{self._vendor} does not answer in time") from None
            kind = type(fault).__name__
            raise _Passing(f"{self._vendor} cannot be reached, or broke off ({kind})") from None
        finally:
            watch.cancel()

    def _connected(self, _: str, told: Mapping[str, Any]) -> None:
        if isinstance(stream := told.get("return_value"), httpcore.NetworkStream):
            self._socket = stream.get_extra_info("socket")

    def _break_off(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # of the class below TLS, which another thread is reading
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _judge(self, answer: httpx.Response, faults: Mapping[int, SyncFault]) -> None:
        status, vendor = answer.status_code, self._vendor
        if status == 200:
            return
        if status in faults:
            raise faults[status].with_traceback(None)
        if status == 429:
            raise _Passing(f"{vendor} is asked too often", wait_s=_told(answer.headers))
        if status >= 500:
            message = f"{vendor} has a fault of its own (status {status})"
            raise _Passing(message, wait_s=_told(answer.headers))
        raise SyncFault(f"{vendor} does not take the request (status {status})")

    def _body(self, answer: httpx.Response, end: float) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                most = f"{MOST_BYTES // 1024**2} MB"
                raise SyncFault(f"{self._vendor} answers with more than {most}")
            if self._clock() > end:
                raise _Passing(f"{self._vendor} does not answer in time")
        return bytes(body)

    def _read(self, body: bytes, read: Callable[[Any], Read]) -> Read:
        try:
            return read(_DECODER.decode(body.decode("utf-8")))
        except Misshapen as fault:
            raise _Passing(f"{self._vendor} answers what it should not: {fault}", _SOME) from None
        except (ValueError, RecursionError):
            raise _Passing(f"{self._vendor} answers with no JSON", _SOME) from None


def _base(url: str) -> httpx.URL:
    try:
        base = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise SyncFault("the vendor's address is none, such as https://a.klaviyo.com") from None
    if base.scheme != "https" and not (base.scheme == "http" and _is_here(base.host)):
        raise SyncFault("the vendor's address begins with https://, as a key is sent to it")
    return base


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _told(headers: httpx.Headers) -> float:
    """The seconds of Retry-After; a date is taken by the clock of who sent it."""
    given = headers.get("retry-after", "")
    if given.isascii() and given.isdecimal():
        return float(given)
    try:
        at, now = (parsedate_to_datetime(one) for one in (given, headers.get("date", "")))
        return (at - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _whole(digits: str) -> int | Decimal:
    # int() refuses thousands of digits, and takes long for hundreds.
    return int(digits) if len(digits) < _DIGITS_OF_INT else Decimal(digits)


def _fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError("an exponent that nobody can count to") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_fraction, parse_constant=_refuse)
