"""Imports of files into static audiences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


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
        "imports",
        *_of_organization("imports"),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("processed", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ignored", sa.Text(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f("pk_imports")),
        sa.UniqueConstraint("token", name=op.f("uq_imports_token")),
    )
    op.create_index("ix_imports_audience", "imports", ["organization", "audience", "created_at"])
    op.create_index("ix_imports_status", "imports", ["status"])
    op.create_table(
        "import_files",
        *_of_organization("import_files"),
        sa.Column("import_id", sa.String(length=40), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "import_id", name=op.f("pk_import_files")),
    )
    op.create_table(
        "import_issues",
        *_of_organization("import_issues"),
        sa.Column("import_id", sa.String(length=40), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issues", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "import_id", "row", name=op.f("pk_import_issues")),
    )
