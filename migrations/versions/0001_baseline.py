"""Baseline schema."""

from typing import Any

from alembic import op

from migrations import baseline

revision: str = baseline.revision()
down_revision: str | None = None


def upgrade() -> None:
    bind = op.get_bind()
    # The driver sends several statements at once only outside of its prepared protocol, and SQLAlchemy begins the
    # driver's transaction with its own first statement.
    bind.exec_driver_sql("SELECT 1")
    connection: Any = bind.connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(baseline.sql()))
