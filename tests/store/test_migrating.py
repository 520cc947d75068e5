"""Migrations: they make the tables that the code knows, once, and leave newer ones alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from segment_engine.errors import StoreError
from segment_engine.store.database import Database
from segment_engine.store.migrating import NEWEST, check, migrate
from segment_engine.store.tables import metadata


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    made = Database(empty_url)
    yield made
    made.close()


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    migrate(database)
    with database.reading() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (NEWEST,)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        migrated = shape(connection)
    with database.writing() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert shape(connection) == migrated


def shape(connection: Connection) -> dict[str, list[str]]:
    """Tables, keys, checks and indexes, also of parts, as the database has them."""
    found = inspect(connection)
    return {
        table: [
            *map(repr, found.get_columns(table)),
            repr(found.get_pk_constraint(table)),
            *sorted(map(repr, found.get_foreign_keys(table))),
            *sorted(map(repr, found.get_check_constraints(table))),
            *sorted(map(repr, found.get_unique_constraints(table))),
            *sorted(map(_index, found.get_indexes(table))),
        ]
        for table in sorted(set(found.get_table_names()) - {"alembic_version"})
    }


def _index(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def test_those_who_migrate_at_once_do_it_once(database: Database) -> None:
    with pytest.raises(StoreError, match="no tables"):
        check(database)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, database) for _ in range(4)]:
            done.result()
    check(database)


def test_the_tables_of_a_newer_version_are_left_alone(database: Database) -> None:
    migrate(database)
    with database.writing() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    for use in (migrate, check):
        with pytest.raises(StoreError, match="9999, which is newer than this segment_engine"):
            use(database)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////no/such/folder/store.db",
        "sqlite:////proc/version",
        "postgresql://nobody@127.0.0.1:9/x?connect_timeout=2",
    ],
)
def test_a_database_out_of_reach_is_an_error_of_the_store(url: str) -> None:
    database = Database(url)
    for use in (migrate, check):
        with pytest.raises(StoreError, match="cannot be used") as caught:
            use(database)
        assert "\n" not in str(caught.value)
    database.close()
