"""Sealed secrets open with the secret that they were sealed with, and with no other."""

import pytest

from segment_engine.errors import StoreError
from segment_engine.store.sealed import seal, unseal

ONE, OTHER = b"a secret of tests", b"another one"


def test_what_is_sealed_opens_with_the_same_secret_alone() -> None:
    sealed = seal(ONE, "pk_ünicode")
    assert unseal(ONE, sealed) == "pk_ünicode"
    assert "pk_" not in sealed and sealed != seal(ONE, "pk_ünicode")
    for secret, text in ((OTHER, sealed), (ONE, sealed[:-8]), (ONE, "ü"), (ONE, "")):
        with pytest.raises(StoreError, match="give that one again") as fault:
            unseal(secret, text)
        assert "pk_" not in str(fault.value)
