"""The tables of the store. Instants are microseconds since 1970 in UTC, JSON is kept as text.

Everything but organizations and keys belongs to an organization, and its primary key begins so.
What changes here wants a migration in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _organization() -> Column[str]:
    return Column("organization", String(40), ForeignKey("organizations.id"), primary_key=True)


organizations = Table(
    "organizations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("timezone", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("phone_region", String(2)),
    Column("schema", Text),  # as its file spells it, in JSON; null is the default schema
    Column("change_seq", BigInteger, nullable=False, server_default="0"),
    Column("next_ordinal", BigInteger, nullable=False, server_default="0"),
    Column("definition_seq", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
)
"""`change_seq` counts the transactions that changed consumers, `definition_seq` those that changed
what a generation depends on beside them. Whoever counts holds the row until the commit."""

keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organization", String(40), ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("shown", String(16), nullable=False),  # its first characters, to be told apart
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

consumers = Table(
    "consumers",
    metadata,
    _organization(),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False),
    Column("email", Text),
    Column("email_folded", Text),
    Column("phone", Text),
    Column("full_name", Text),
    Column("external_id", Text),
    Column("total_orders", BigInteger),
    Column("total_order_value", Text),  # a decimal of at most 32 and 6 digits; SQLite has none
    Column("last_order_at", BigInteger),
    Column("metadata", Text),
    Column("created_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("change_seq", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    Index("ix_consumers_id", "organization", "id", unique=True),
    Index("ix_consumers_change", "organization", "change_seq"),
    Index("ix_consumers_external_id", "organization", "external_id", unique=True),
    Index("ix_consumers_email", "organization", "email_folded"),
    Index("ix_consumers_phone", "organization", "phone"),
    Index(
        "ix_consumers_erased",
        *("organization", "ordinal"),
        sqlite_where=text("erased_at is not null"),
        postgresql_where=text("erased_at is not null"),
    ),
)
"""An erased consumer is a row with an ordinal, `erased_at`, `change_seq` and nothing else."""

groups = Table(
    "groups",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("attribute", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

audiences = Table(
    "audiences",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_folded", Text, nullable=False),
    Column("description", Text),
    Column("description_folded", Text),
    Column("type", String(16), nullable=False),
    Column("icon_name", Text),
    Column("metadata", Text),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("group_id", String(40)),
    Column("tier", Text),  # of a loyalty tier: order, startValue, endValue as JSON
    Column("sync_source_id", String(40)),
    Column("refresh_interval", Integer),  # seconds
    Column("archived", Boolean, nullable=False),
    Column("expression", Text),  # canonical text, references as ids; null where there is no rule
    Column("rules", Text, nullable=False),  # JSON rows, [] where rows cannot say the expression
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_audiences_name", "organization", "name_folded"),
    Index("ix_audiences_group", "organization", "group_id"),
    Index("ix_audiences_created", "organization", "created_at"),
)

audience_references = Table(
    "audience_references",
    metadata,
    _organization(),
    Column("audience", String(40), primary_key=True),
    Column("refers", String(40), primary_key=True),
    Index("ix_audience_references_refers", "organization", "refers"),
)
"""Which audiences the rule of one refers to, archived ones too: known even where a rule no longer
checks, because the fields of the organization are others now."""

static_members = Table(
    "static_members",
    metadata,
    _organization(),
    Column("audience", String(40), primary_key=True),
    Column("tile", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("count", Integer, nullable=False),
)
"""Who was put into static and synced lists: bitmaps, as those of a generation."""

imports = Table(
    "imports",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("audience", String(40), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("status", String(32), nullable=False),
    Column("token", String(64), nullable=False, unique=True),  # a keyed hash
    Column("expires_at", BigInteger, nullable=False),  # of the token
    Column("total", Integer),
    Column("processed", Integer, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("reason", Text),  # why it failed
    Column("ignored", Text, nullable=False),  # JSON: the columns that consumers do not have
    Column("members", LargeBinary),  # as far as it has come: a Roaring bitmap of ordinals
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_imports_audience", "organization", "audience", "created_at"),
    Index("ix_imports_status", "status"),
)

import_files = Table(
    "import_files",
    metadata,
    _organization(),
    Column("import_id", String(40), primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)
"""What was uploaded, until it is put in."""

import_issues = Table(
    "import_issues",
    metadata,
    _organization(),
    Column("import_id", String(40), primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("issues", Text, nullable=False),  # JSON: field, code and message of each
)

bitmaps = Table(
    "bitmaps",
    metadata,
    _organization(),
    Column("hash", String(64), primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    _organization(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("as_of", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("change_seq", BigInteger, nullable=False),  # of the consumers as they were read
    Column("definition_seq", BigInteger, nullable=False),
    Column("consumers", BigInteger, nullable=False),
    Column("ordinals", BigInteger, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("basis", Text),  # JSON of batch.basis.Basis
)

generation_audiences = Table(
    "generation_audiences",
    metadata,
    _organization(),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("audience", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("entered", BigInteger, nullable=False),
    Column("left", BigInteger, nullable=False),
    Column("error", Text),  # why it could not be computed; then it keeps the members it had
)

memberships = Table(
    "memberships",
    metadata,
    _organization(),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("audience", String(40), primary_key=True),
    Column("tile", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_memberships_hash", "organization", "hash"),
)

_ONE = {"QUEUED": text("state = 'QUEUED'"), "RUNNING": text("state = 'RUNNING'")}

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("organization", String(40), ForeignKey("organizations.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("key", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("payload", Text),
    Column("token", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("run_after", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("host", Text),
    Column("process", BigInteger),
    Column("error", Text),
    CheckConstraint("state in ('QUEUED', 'RUNNING', 'DONE', 'FAILED')", name="state"),
    *(
        Index(
            f"ix_jobs_one_{state.lower()}",
            *("organization", "kind", "key"),
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
        for state, where in _ONE.items()
    ),
    Index("ix_jobs_next", "state", "run_after"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _organization(),
    Column("key", String(255), primary_key=True),
    Column("request", String(64), nullable=False),  # a hash of method, path and body
    Column("status", Integer),  # null while it runs
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_idempotency_created", "created_at"),
)

webhooks = Table(
    "webhooks",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # sealed
    Column("audiences", Text),  # JSON: the ids of those that it is told of; null is all
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),  # when its receiver said that it is gone
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("webhook", String(40), nullable=False),
    Column("audience", String(40), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("entered", LargeBinary),  # a Roaring bitmap of ordinals; null once all is delivered
    Column("left", LargeBinary),
    Column("parts", Integer, nullable=False),
    Column("sent", Integer, nullable=False),  # how many of the parts are through
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),  # of the next part
    Column("next_at", BigInteger, nullable=False),
    Column("reason", Text),  # why the last attempt failed
    Column("wanted_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("state in ('WAITING', 'DELIVERED', 'DEAD')", name="state"),
    Index(
        "ix_webhook_deliveries_next",
        *("organization", "webhook", "state", "audience", "generation"),
    ),
    Index("ix_webhook_deliveries_state", "state", "updated_at"),
)
"""Who entered and left an audience with a generation, as one webhook is told of it. It outlives
the generation."""

vendor_keys = Table(
    "vendor_keys",
    metadata,
    _organization(),
    Column("vendor", String(32), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""What opens an organization's lists at a vendor."""

sync_sources = Table(
    "sync_sources",
    metadata,
    _organization(),
    Column("id", String(40), primary_key=True),
    Column("vendor", String(32), nullable=False),
    Column("list_id", String(64), nullable=False),  # the vendor's
    Column("audience", String(40), nullable=False),
    Column("name", Text),  # of the list, once it is known
    Column("data", Text),  # JSON: what the vendor tells of the list
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),  # of the last pass, however it ended
    Column("last_synced_at", BigInteger),
    Column("error", Text),  # why the last pass failed
    Column("job", String(40)),  # whose the pass is that has begun; null where none has
    Column("phase", String(16)),  # READ, RECENT or PUT
    Column("cursor", Text),  # the vendor's, and of PUT the last profile that is in
    Column("began_at", BigInteger),
    Column("profiles", Integer, nullable=False),
    Column("processed", Integer, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("members", LargeBinary),  # as far as PUT has come: a Roaring bitmap of ordinals
    Index("ix_sync_sources_audience", "organization", "audience"),
    Index("ix_sync_sources_list", "organization", "vendor", "list_id"),
)
"""Lists kept elsewhere of which audiences have their members. The counts are those of the pass that
has begun, else of the last one."""

sync_profiles = Table(
    "sync_profiles",
    metadata,
    _organization(),
    Column("source", String(40), primary_key=True),
    Column("profile", String(255), primary_key=True),
    Column("told", Text, nullable=False),  # a consumer as JSON of the API
)
"""What a pass has read, until all of it is put in."""

identities = Table(
    "identities",
    metadata,
    _organization(),
    Column("vendor", String(32), primary_key=True),
    Column("profile", String(255), primary_key=True),
    Column("consumer", String(40), nullable=False),
    Index("ix_identities_consumer", "organization", "consumer"),
)
"""Whom the profiles of a vendor are; those of erased consumers are deleted."""
