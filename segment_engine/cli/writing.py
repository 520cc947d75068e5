"""Files that commands write: whole or not at all, and never over what differs, unless asked to."""

import os
import secrets
import shutil
from pathlib import Path

from segment_engine.errors import OutputError


def write_new(path: Path, text: str, force: bool) -> bool:
    """Write a file; False where it is there and says the same. Raises OutputError.

    With `force` a file that says something else is replaced, in one step.
    """
    held = text.encode("utf-8")
    try:
        if os.path.lexists(path):
            if path.is_file() and path.read_bytes() == held:
                return False
            if path.is_dir() or not force:
                raise OutputError(_there(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(Path(os.path.realpath(path)), held)
    except OSError as fault:
        raise OutputError(f"{path} cannot be written: {fault.strerror or fault}") from None
    return True


def _there(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; name a file"
    return f"{path} is there already and says something else; --force replaces it"


def _replace(target: Path, held: bytes) -> None:
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    try:
        fresh.write_bytes(held)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text in one step, keeping its mode."""
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    try:
        fresh.write_bytes(text.encode("utf-8"))
        shutil.copymode(target, fresh)
        os.replace(fresh, target)
    except OSError as fault:
        raise OutputError(f"{path} cannot be written: {fault.strerror or fault}") from None
    finally:
        fresh.unlink(missing_ok=True)
