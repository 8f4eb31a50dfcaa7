"""JSON columns with sealed client secrets of providers."""

from typing import Any, Protocol

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator


class Seals(Protocol):
    """Seals and opens the client secrets of a document; set as `sealer` on an engine's dialect."""

    def sealed(self, value: Any) -> Any:
        """Return the document with its secrets sealed."""

    def opened(self, value: Any) -> Any:
        """Return the document with its secrets as they are."""


class SealedJSONB(TypeDecorator[Any]):
    """JSON whose client secrets are sealed in the table and opened on read, if its engine has a sealer.

    Other JSON columns are never opened: an attacker could copy a sealed secret from a backup into their own data.
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
