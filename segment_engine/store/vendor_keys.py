"""The keys that open an organization's lists at vendors; only sealed ones are stored."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from segment_engine.errors import Invalid, NotFound
from segment_engine.store.database import Database, now
from segment_engine.store.records import Organization
from segment_engine.store.sealed import seal, unseal
from segment_engine.store.tables import vendor_keys

MOST = 1_000


class VendorKeys:
    """The keys of one organization, one a vendor."""

    def __init__(self, database: Database, organization: Organization, secret: bytes) -> None:
        """Made by `Store.of`; `secret` seals the keys."""
        self._database, self._organization, self._secret = database, organization, secret

    def set(self, vendor: str, key: str) -> None:
        """Keeps the key in place of the one that there was. Raises Invalid for what is none."""
        key = key.strip()
        if not 1 <= len(key) <= MOST or not key.isascii() or not key.isprintable() or " " in key:
            raise Invalid(f"a key has 1 to {MOST:,} characters of ASCII, without blanks")
        row = {"organization": self._organization.id, "vendor": vendor}
        with self._database.writing() as connection:
            connection.execute(delete(vendor_keys).where(*self._of(vendor)))
            sealed = {"sealed": seal(self._secret, key), "created_at": now(connection)}
            connection.execute(insert(vendor_keys).values(**row, **sealed))

    def remove(self, vendor: str) -> None:
        """Forgets the key. Raises NotFound where there is none."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(vendor_keys).where(*self._of(vendor)))
            if gone.rowcount != 1:
                raise NotFound(f"the organization has no key of {vendor.title()}")

    def get(self, connection: Connection, vendor: str) -> str:
        """The key. Raises StoreError for one that was sealed with another secret, and Invalid where
        there is none."""
        self.check(connection, vendor)
        asked = select(vendor_keys.c.sealed).where(*self._of(vendor))
        return unseal(self._secret, connection.execute(asked).scalar_one())

    def check(self, connection: Connection, vendor: str) -> None:
        """Raises Invalid where there is no key, with the command that sets one."""
        known = select(vendor_keys.c.vendor).where(*self._of(vendor))
        if connection.execute(known).first() is None:
            raise Invalid(
                f"The organization has no key of {vendor.title()}; "
                f"`segment-engine {vendor} key {self._organization.name}` sets one"
            )

    def _of(self, vendor: str) -> tuple[Any, ...]:
        return (
            vendor_keys.c.organization == self._organization.id,
            vendor_keys.c.vendor == vendor,
        )
