"""Lists kept elsewhere, of which audiences have their members."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _of_organization(table: str) -> list[sa.Column[str] | sa.Constraint]:
    return [
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f(f"fk_{table}_organization")
        ),
    ]


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "vendor_keys",
        *_of_organization("vendor_keys"),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "vendor", name=op.f("pk_vendor_keys")),
    )
    op.create_table(
        "sync_sources",
        *_of_organization("sync_sources"),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("list_id", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("last_synced_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("job", sa.String(length=40), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("profiles", sa.Integer(), nullable=False),
        sa.Column("processed", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f("pk_sync_sources")),
    )
    op.create_index("ix_sync_sources_audience", "sync_sources", ["organization", "audience"])
    op.create_index("ix_sync_sources_list", "sync_sources", ["organization", "vendor", "list_id"])
    op.create_table(
        "sync_profiles",
        *_of_organization("sync_profiles"),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "source", "profile", name=op.f("pk_sync_profiles")),
    )
    op.create_table(
        "identities",
        *_of_organization("identities"),
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("profile", sa.String(length=255), nullable=False),
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("organization", "vendor", "profile", name=op.f("pk_identities")),
    )
    op.create_index("ix_identities_consumer", "identities", ["organization", "consumer"])
