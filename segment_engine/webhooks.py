"""What webhooks are signed with, for whoever receives them: the scheme of Standard Webhooks.

    message = verify("whsec_...", request.headers, request.body)

The standard library alone is used, so a receiver may also take this file as it is.
"""

import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Any

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX, VERSION = "whsec_", "v1"
TOLERANCE_S = 300


class WrongSignature(ValueError):
    """Nobody who knows the secret has sent it, or not lately."""


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> dict[str, Any]:
    """The message of a request, once it is known to be ours; `body` is as it came.

    `now` is in seconds since 1970, else the clock's; what was signed more than `tolerance_s` before
    or after it could be sent again by somebody who has seen it. Raises WrongSignature, and
    ValueError for a `secret` that is none.
    """
    told = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in (ID, TIMESTAMP, SIGNATURE) if name not in told]
    if missing:
        raise WrongSignature(f"there is no header {missing[0]}")
    if not re.fullmatch("[0-9]{1,12}", told[TIMESTAMP]):
        raise WrongSignature("the timestamp is no number of seconds")
    wanted = sign(secret, told[ID], int(told[TIMESTAMP]), body).encode()
    given = told[SIGNATURE].encode("utf-8", "replace").split(b" ")
    if not any(hmac.compare_digest(wanted, one) for one in given):
        raise WrongSignature("the signature is another one")
    instant = time.time() if now is None else now
    if abs(instant - int(told[TIMESTAMP])) > tolerance_s:
        raise WrongSignature("it was signed too long ago, or one of the clocks is wrong")
    message: dict[str, Any] = json.loads(body)
    return message


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message, as its header has it; `timestamp` is in seconds since 1970.

    Raises ValueError for a `secret` that is none.
    """
    signed = b"%b.%d.%b" % (id.encode("utf-8", "replace"), timestamp, body)
    mac = hmac.digest(_key(secret), signed, "sha256")
    return f"{VERSION},{b64encode(mac).decode()}"


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except (Error, ValueError):
        raise ValueError(f"the secret of a webhook is {PREFIX} and base64") from None
