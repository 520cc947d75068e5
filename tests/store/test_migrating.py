"""The steps lead to the tables that the code knows, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from segment_engine.errors import StoreError
from segment_engine.store.store import Store
from segment_engine.store.tables import metadata


def test_the_steps_make_the_tables(store: Store) -> None:
    store.migrate()
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_newer_store_is_not_touched(store: Store) -> None:
    with store.database.writing() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="newer than this segment_engine"):
        store.migrate()
