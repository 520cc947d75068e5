"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes them."""
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("phone_region", sa.String(length=2), nullable=True),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("change_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_ordinal", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("definition_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("name", name=op.f("uq_organizations_name")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shown", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_api_keys_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_table(
        "audience_references",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("refers", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_audience_references_organization")
        ),
        sa.PrimaryKeyConstraint(
            "organization", "audience", "refers", name=op.f("pk_audience_references")
        ),
    )
    op.create_index(
        "ix_audience_references_refers",
        "audience_references",
        ["organization", "refers"],
        unique=False,
    )
    op.create_table(
        "audiences",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("description_folded", sa.Text(), nullable=True),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("icon_name", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.String(length=40), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("sync_source_id", sa.String(length=40), nullable=True),
        sa.Column("refresh_interval", sa.Integer(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("expression", sa.Text(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_audiences_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f("pk_audiences")),
    )
    op.create_index(
        "ix_audiences_created", "audiences", ["organization", "created_at"], unique=False
    )
    op.create_index("ix_audiences_group", "audiences", ["organization", "group_id"], unique=False)
    op.create_index("ix_audiences_name", "audiences", ["organization", "name_folded"], unique=False)
    op.create_table(
        "bitmaps",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_bitmaps_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "hash", name=op.f("pk_bitmaps")),
    )
    op.create_table(
        "consumers",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_folded", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("total_orders", sa.BigInteger(), nullable=True),
        sa.Column("total_order_value", sa.Text(), nullable=True),
        sa.Column("last_order_at", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("change_seq", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_consumers_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "ordinal", name=op.f("pk_consumers")),
    )
    op.create_index(
        "ix_consumers_change", "consumers", ["organization", "change_seq"], unique=False
    )
    op.create_index(
        "ix_consumers_email", "consumers", ["organization", "email_folded"], unique=False
    )
    op.create_index(
        "ix_consumers_erased",
        "consumers",
        ["organization", "ordinal"],
        unique=False,
        sqlite_where=sa.text("erased_at is not null"),
        postgresql_where=sa.text("erased_at is not null"),
    )
    op.create_index(
        "ix_consumers_external_id", "consumers", ["organization", "external_id"], unique=True
    )
    op.create_index("ix_consumers_id", "consumers", ["organization", "id"], unique=True)
    op.create_index("ix_consumers_phone", "consumers", ["organization", "phone"], unique=False)
    op.create_table(
        "generation_audiences",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization"],
            ["organizations.id"],
            name=op.f("fk_generation_audiences_organization"),
        ),
        sa.PrimaryKeyConstraint(
            "organization", "generation", "audience", name=op.f("pk_generation_audiences")
        ),
    )
    op.create_table(
        "generations",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("change_seq", sa.BigInteger(), nullable=False),
        sa.Column("definition_seq", sa.BigInteger(), nullable=False),
        sa.Column("consumers", sa.BigInteger(), nullable=False),
        sa.Column("ordinals", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_generations_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "number", name=op.f("pk_generations")),
    )
    op.create_table(
        "groups",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_groups_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f("pk_groups")),
    )
    op.create_table(
        "idempotency",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_idempotency_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_after", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("process", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state in ('QUEUED', 'RUNNING', 'DONE', 'FAILED')", name=op.f("ck_jobs_state")
        ),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_jobs_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_next", "jobs", ["state", "run_after"], unique=False)
    op.create_index(
        "ix_jobs_one_queued",
        "jobs",
        ["organization", "kind", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'QUEUED'"),
        postgresql_where=sa.text("state = 'QUEUED'"),
    )
    op.create_index(
        "ix_jobs_one_running",
        "jobs",
        ["organization", "kind", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'RUNNING'"),
        postgresql_where=sa.text("state = 'RUNNING'"),
    )
    op.create_table(
        "memberships",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("tile", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_memberships_organization")
        ),
        sa.PrimaryKeyConstraint(
            "organization", "generation", "audience", "tile", name=op.f("pk_memberships")
        ),
    )
    op.create_index("ix_memberships_hash", "memberships", ["organization", "hash"], unique=False)
    op.create_table(
        "static_members",
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("tile", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f("fk_static_members_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "audience", "tile", name=op.f("pk_static_members")),
    )
