"""JSON columns that hold secrets of providers; what others write into JSON stays as they wrote it."""

from typing import Any, Protocol

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator


class Seals(Protocol):
    """Seals the client secrets of a document, and opens them; an engine's dialect has it as `sealer`."""

    def sealed(self, value: Any) -> Any:
        """Return the document with its secrets sealed."""

    def opened(self, value: Any) -> Any:
        """Return the document with its secrets as they are."""


class SealedJSONB(TypeDecorator[Any]):
    """JSON whose client secrets are sealed in the table, and open in the process, where its engine has a sealer.

    No other column opens what is sealed: whoever can read a backup would have it opened by sending it as their own.
    """

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Seal what is written."""
        sealer: Seals | None = getattr(dialect, "sealer", None)
        return value if sealer is None else sealer.sealed(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Open what is read."""
        sealer: Seals | None = getattr(dialect, "sealer", None)
        return value if sealer is None else sealer.opened(value)

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Compare parts as those of any JSON."""
        return self.impl_instance.coerce_compared_value(op, value)
