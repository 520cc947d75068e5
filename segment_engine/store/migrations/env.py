"""How alembic runs the steps: in the transaction that `migrating.migrate` has begun."""

from alembic import context

from segment_engine.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
