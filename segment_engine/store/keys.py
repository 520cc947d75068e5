"""Secret keys of organizations: only a keyed hash of each is stored."""

import hmac
import re
import secrets

from sqlalchemy import Row, select, update
from ulid import ULID

from segment_engine.errors import Invalid, NotFound
from segment_engine.store.database import Database, now
from segment_engine.store.records import Key
from segment_engine.store.tables import keys, organizations

PREFIX = "sk_live_"
SHOWN = len(PREFIX) + 4
FORM = re.compile(r"sk_live_[A-Za-z0-9_-]{43}")
_COLUMNS = [keys.c[name] for name in Key.__slots__]


class Keys:
    """The keys of all organizations."""

    def __init__(self, database: Database, secret: bytes) -> None:
        """`secret` is the key of the hashes: with another one no key is known any more."""
        self._database, self._secret = database, secret

    def create(self, organization_id: str, name: str) -> tuple[str, Key]:
        """A new key: its secret, which nobody can tell again, and what is known of it."""
        if not 1 <= len(name) <= 100 or "\0" in name:
            raise Invalid("a key's name has 1 to 100 characters")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            known = select(organizations.c.id).where(organizations.c.id == organization_id)
            if connection.execute(known).first() is None:
                raise NotFound("Organization not found")
            made = Key(
                id=f"key_{ULID()}",
                organization=organization_id,
                name=name,
                shown=secret[:SHOWN],
                created_at=now(connection),
                revoked_at=None,
            )
            told = {field: getattr(made, field) for field in Key.__slots__}
            connection.execute(keys.insert().values(**told, hash=self._hash(secret)))
        return secret, made

    def list(self, organization_id: str) -> list[Key]:
        """The keys of an organization, also those that were revoked, the oldest first."""
        query = select(*_COLUMNS).where(keys.c.organization == organization_id)
        with self._database.reading() as connection:
            return [Key(*row) for row in connection.execute(query.order_by(keys.c.id))]

    def revoke(self, key_id: str) -> Key:
        """Nobody is let in with it any more. Raises NotFound; one that was revoked stays so."""
        with self._database.writing() as connection:
            query = select(*_COLUMNS).where(keys.c.id == key_id)
            row: Row[tuple[object, ...]] | None = connection.execute(query).first()
            if row is None:
                raise NotFound("Key not found")
            if row.revoked_at is None:
                ended = update(keys).where(keys.c.id == key_id)
                connection.execute(ended.values(revoked_at=now(connection)))
            return Key(*connection.execute(query).one())

    def organization_of(self, secret: str) -> str | None:
        """The id of the organization whose key it is; None for one that opens nothing."""
        if not FORM.fullmatch(secret):
            return None
        told = self._hash(secret)
        query = select(keys.c.organization, keys.c.hash).where(
            keys.c.hash == told, keys.c.revoked_at.is_(None)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None or not hmac.compare_digest(row.hash, told):
            return None
        return str(row.organization)

    def _hash(self, secret: str) -> str:
        return hmac.new(self._secret, secret.encode(), "sha256").hexdigest()
