"""What alembic runs: the revisions that are lacking, on the connection, and in the transaction, that it is given."""

from alembic import context

from history.schema import METADATA

context.configure(context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
