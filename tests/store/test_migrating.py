"""Migrations: they make the tables that the code knows, once, and leave newer ones alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select

from segment_engine.errors import Invalid, StoreError
from segment_engine.store.database import Database
from segment_engine.store.migrating import NEWEST, check, migrate
from segment_engine.store.steps import _config
from segment_engine.store.store import Store
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


def test_a_store_of_a_version_before_goes_on(
    empty_url: str, database: Database, tmp_path: Path
) -> None:
    """With all that it held; also where the process that migrated first died."""
    with database.writing() as connection:
        command.upgrade(_config(connection), "0002")
        kept = metadata.tables.keys() & set(inspect(connection).get_table_names())
    store = Store(empty_url, b"a secret of tests", tmp_path)
    shop = store.of(store.organizations.create("shop").id)
    shop.consumers.upsert([{"externalId": f"e{n}", "totalOrders": n} for n in range(10)])
    many = shop.audiences.create("many", "DYNAMIC", expression="totalOrders >= 5").id
    synced = shop.audiences.create("synced", "SYNCED_LIST").id

    def rows() -> dict[str, Any]:
        with database.reading() as connection:
            tables = [metadata.tables[name] for name in sorted(kept)]
            return {table.name: connection.execute(select(table)).all() for table in tables}

    before = rows()
    with suppress(ZeroDivisionError), database.writing() as connection:
        command.upgrade(_config(connection), "0003")
        raise ZeroDivisionError
    with pytest.raises(StoreError, match="is of version 0002"):
        store.check()
    store.migrate()
    store.check()
    assert rows() == before
    with pytest.raises(Invalid, match="Audience has no sync source"):
        shop.syncs.want(synced)
    store.webhooks.create(shop.organization.id, "https://example.com/hook")
    shop.consumers.erase(shop.consumers.at([9])[0].id)
    assert shop.runs.run().audiences[many].count == 4
    assert [one.waiting for one in store.webhooks.list()] == [1]
    store.close()


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
