"""Counts how often something goes to PostgreSQL."""

from typing import Any

from sqlalchemy import event

from runtime.database import Database


class Listening:
    """Notes what goes to the server through a database's platform engine, by the first word of each statement."""

    def __init__(self, database: Database) -> None:
        self.words: list[str] = []
        engine = database.platform_engine.sync_engine
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "before_cursor_execute", self._executed)

    def heard(self) -> list[str]:
        words, self.words = self.words, []
        return words

    def _connected(self, connection: Any, _record: object) -> None:
        # What goes round SQLAlchemy, which its transactions do too.
        connection.driver_connection.add_query_logger(lambda record: self._note(record.query))

    def _executed(self, _c: object, _cursor: object, statement: str, *_: object) -> None:
        self._note(statement)

    def _note(self, statement: str) -> None:
        self.words.append(statement.split()[0].rstrip(";"))
