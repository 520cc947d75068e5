"""Secrets that the database keeps and has to give back: nobody reads them without the store's own.

`SEGMENT_ENGINE_SECRET` is not in the database; the key of the seals is derived from it.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from segment_engine.errors import StoreError

_FOR = b"segment_engine sealed"


def seal(secret: bytes, text: str) -> str:
    """The text sealed with the store's secret, as ASCII; another one each time."""
    return _fernet(secret).encrypt(text.encode()).decode("ascii")


def unseal(secret: bytes, sealed: str) -> str:
    """What was sealed. Raises StoreError where that was done with another secret."""
    try:
        return _fernet(secret).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise StoreError(
            "a secret that the store keeps was sealed with another SEGMENT_ENGINE_SECRET; "
            "give that one again, or put the secret in anew"
        ) from None


def _fernet(secret: bytes) -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=_FOR).derive(secret)
    return Fernet(urlsafe_b64encode(key))
