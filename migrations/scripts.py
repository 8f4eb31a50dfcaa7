"""Runs SQL of many statements inside a migration's transaction."""

from typing import Any

from alembic import op


def run(sql: str) -> None:
    """Execute the statements in the transaction of the migration that calls this."""
    bind = op.get_bind()
    # The driver sends several statements at once only outside of its prepared protocol, and SQLAlchemy begins the
    # driver's transaction with its own first statement.
    bind.exec_driver_sql("SELECT 1")
    connection: Any = bind.connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(sql))
