"""Commands that request payments, and the content of commands to payments."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PaymentCommand(Base):
    """A request to create a payment. Written once, by the API, before the run starts; immutable.

    A repeated command finds the terms of the first one, with its id and quote, and so starts the same payment or finds
    it running.

    Attributes:
        request_hash: SHA-256 of the request, to detect another request under the same key.
        terms: the `PaymentTerms` that the run starts with.
        asked_by: for a payment with credits, the `Actor` that requested it, without its network address, because the
            payment is declined while that actor is frozen, even in another run. Null for other providers.
    """

    __tablename__ = "payment_commands"

    command_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    payment_id: Mapped[str] = mapped_column(unique=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "free_text"})
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    asked_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info={"holds": "identifier"})


class PaymentCommandContent(Base):
    """Content of a command to a payment, so that its key is not used for another one after its response was deleted.

    Written once, by the API, before the command is sent, and deleted when the command is refused. Only the platform's
    role reads and writes.

    Attributes:
        content_hash: as `contracts.common.base.content_of` makes it.
    """

    __tablename__ = "payment_command_contents"

    command_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str]
    content_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
