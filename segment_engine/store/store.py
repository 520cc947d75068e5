"""The store: one database of organizations, each reached through `Store.of` alone."""

from collections.abc import Mapping
from pathlib import Path

from segment_engine.store.audiences import Audiences
from segment_engine.store.consumers import Consumers
from segment_engine.store.database import Database
from segment_engine.store.generations import Generations
from segment_engine.store.groups import Groups
from segment_engine.store.imports import Imports, Uploads
from segment_engine.store.jobs import Jobs
from segment_engine.store.keys import Keys
from segment_engine.store.members import Members
from segment_engine.store.migrating import check, migrate
from segment_engine.store.organizations import Organizations
from segment_engine.store.records import Organization
from segment_engine.store.running import Runs
from segment_engine.store.search import Search, Texts
from segment_engine.store.syncs import Syncs
from segment_engine.store.vendor_keys import VendorKeys
from segment_engine.store.views import Views
from segment_engine.store.webhooks import Webhooks

SNAPSHOTS = "snapshots"
ADDRESSES = {"klaviyo": "https://a.klaviyo.com"}
"""Where the vendors are whose lists audiences may have."""


class Store:
    """A store; safe to share between threads. Nothing is opened until it is used."""

    def __init__(
        self, url: str, secret: bytes, folder: Path, addresses: Mapping[str, str] = ADDRESSES
    ) -> None:
        """`url` as `Database`; `secret` is the key of the hashes of keys and of cursors,
        and of what is sealed; `folder` keeps what this host can make again, such as snapshots;
        `addresses` are where vendors are."""
        self.database, self.secret, self.folder = Database(url), secret, folder
        self.addresses = addresses
        self.organizations = Organizations(self.database)
        self.keys = Keys(self.database, secret)
        self.webhooks = Webhooks(self.database, secret)
        self.jobs = Jobs(self.database)
        self.uploads = Uploads(self.database, secret)
        self.texts, self.views = Texts(), Views(folder / SNAPSHOTS)

    def migrate(self) -> None:
        """Makes the tables what this version wants. Raises StoreError where they are newer."""
        migrate(self.database)

    def check(self) -> None:
        """Raises StoreError where the tables are not this version's, or out of reach."""
        check(self.database)

    def of(self, organization_id: str) -> "OrganizationStore":
        """All that belongs to an organization. Raises NotFound."""
        return OrganizationStore(self, self.organizations.get(organization_id))

    def close(self) -> None:
        """Ends all connections."""
        self.database.close()


class OrganizationStore:
    """What belongs to one organization."""

    def __init__(self, store: Store, organization: Organization) -> None:
        """Made by `Store.of`."""
        self.store, self.organization = store, organization
        self.audiences = Audiences(store.database, organization)
        self.groups = Groups(store.database, organization)
        self.consumers = Consumers(store.database, organization)
        self.search = Search(store.database, organization, store.texts)
        self.members = Members(store.database, organization)
        self.imports = Imports(store.database, organization, store.secret)
        self.vendor_keys = VendorKeys(store.database, organization, store.secret)
        self.syncs = Syncs(store.database, organization, self.vendor_keys)
        self.generations = Generations(store.database, organization)
        self.runs = Runs(store.database, organization, store.folder / SNAPSHOTS, store.views)
