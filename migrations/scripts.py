"""Runs the `.sql` files that hold functions, triggers and policies; they live beside the code that calls them."""

from pathlib import Path
from typing import Any

from alembic import op

_ROOT = Path(__file__).resolve().parent.parent
#: Functions of the session alone, which the files call.
_PROTECTION = Path(__file__).with_name("protection.sql")


def run(path: str) -> None:
    """Execute a file of many statements inside the migration's transaction; `path` counts from the repository's root.

    Files are written so that running them again replaces what they define: a later migration that changes a function
    runs its file again. They may call what `protection.sql` defines, in `pg_temp`.
    """
    sql = "".join(file.read_text(encoding="utf-8") for file in (_PROTECTION, _ROOT / path))
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
        return
    bind = op.get_bind()
    # The driver sends several statements at once only outside of its prepared protocol, and SQLAlchemy begins the
    # driver's transaction with its own first statement.
    bind.exec_driver_sql("SELECT 1")
    connection: Any = bind.connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(sql))
