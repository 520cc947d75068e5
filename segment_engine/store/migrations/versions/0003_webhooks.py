"""Webhooks, and what they are told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _of_organization(table: str) -> list[sa.Column[str] | sa.Constraint]:
    return [
        sa.Column("organization", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.id"], name=op.f(f"fk_{table}_organization")
        ),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "webhooks",
        *_of_organization("webhooks"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("audiences", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "webhook_deliveries",
        *_of_organization("webhook_deliveries"),
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("entered", sa.LargeBinary(), nullable=True),
        sa.Column("left", sa.LargeBinary(), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state in ('WAITING', 'DELIVERED', 'DEAD')", name=op.f("ck_webhook_deliveries_state")
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_next",
        "webhook_deliveries",
        ["organization", "webhook", "state", "audience", "generation"],
    )
    op.create_index("ix_webhook_deliveries_state", "webhook_deliveries", ["state", "updated_at"])
