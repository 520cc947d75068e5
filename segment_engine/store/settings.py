"""What a store is told by its surroundings: environment variables that begin with SEGMENT_ENGINE_.

    SEGMENT_ENGINE_STORE      URL of the database (sqlite:///segment-engine.db)
    SEGMENT_ENGINE_SECRET     the key of hashes, cursors and seals, 32 characters or more
    SEGMENT_ENGINE_FOLDER     what this host can make again (segment-engine.cache, beside SQLite's)
    SEGMENT_ENGINE_KLAVIYO_URL  where Klaviyo's API is (https://a.klaviyo.com)

Without a secret one is made once, in a file of the folder that its owner alone can read.
"""

import os
import secrets
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from segment_engine.errors import StoreError
from segment_engine.store.store import ADDRESSES, Store

LEAST_SECRET = 32
Told = TypeVar("Told", bound="Settings")

CACHE, SECRET = "segment-engine.cache", "secret"


class Settings(BaseSettings):
    """The settings; what is given takes the place of what the environment says."""

    model_config = SettingsConfigDict(env_prefix="SEGMENT_ENGINE_", env_ignore_empty=True)

    store: SecretStr = SecretStr("sqlite:///segment-engine.db")
    secret: SecretStr | None = None
    folder: Path | None = None
    time_run_minutes: float = 15
    """How often members are computed because of the time alone, at most."""
    klaviyo_url: str = ADDRESSES["klaviyo"]

    def opened(self) -> Store:
        """The store, with its tables. Raises StoreError."""
        folder = self.folder or self._beside()
        addresses = {"klaviyo": self.klaviyo_url}
        made = Store(self.store.get_secret_value(), self._secret(folder), folder, addresses)
        made.migrate()
        return made

    def _beside(self) -> Path:
        try:
            url = make_url(self.store.get_secret_value())
        except ArgumentError:
            return Path(CACHE)
        file = url.database if url.get_backend_name() == "sqlite" else None
        return Path(file).resolve().parent / CACHE if file else Path(CACHE)

    def _secret(self, folder: Path) -> bytes:
        if self.secret is not None:
            found = self.secret.get_secret_value().encode()
            if len(found) < LEAST_SECRET:
                raise StoreError(f"SEGMENT_ENGINE_SECRET has {LEAST_SECRET} characters or more")
            return found
        try:
            folder.mkdir(mode=0o700, parents=self.folder is not None, exist_ok=True)
            return _kept(folder / SECRET)
        except OSError as fault:
            raise StoreError(
                f"{folder / SECRET} cannot be used ({fault.strerror}); "
                "name another SEGMENT_ENGINE_FOLDER, or give SEGMENT_ENGINE_SECRET"
            ) from None


def settings(**given: Any) -> Settings:
    """The settings of this process. Raises StoreError with what is wrong in the environment."""
    return told(Settings, **given)


def told(kind: type[Told], **given: Any) -> Told:
    """Settings of that kind; what is None is as the environment says. Raises StoreError."""
    try:
        return kind(**{name: one for name, one in given.items() if one is not None})
    except ValidationError as fault:
        wrong = ", ".join(
            f"SEGMENT_ENGINE_{str(one['loc'][0]).upper()}: {one['msg']}" for one in fault.errors()
        )
        raise StoreError(wrong) from None


def _kept(file: Path) -> bytes:
    """The secret of a file, which is whole as soon as it has its name."""
    if not file.exists():
        fresh = file.with_name(f"{SECRET}-{secrets.token_hex(8)}")
        with open(fresh, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as made:
            made.write(secrets.token_hex(LEAST_SECRET).encode())
            made.flush()
            os.fsync(made.fileno())
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_bytes()
