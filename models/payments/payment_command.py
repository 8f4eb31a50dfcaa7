"""What was asked for under which command: the intent of a payment, and the content of each command to one."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PaymentCommand(Base):
    """One request to make a payment. Written once, by the API, before the run starts; rows are immutable.

    Whoever repeats the command finds the terms of the first try, its id and its quote among them, and so starts the
    same payment or finds it running.

    Attributes:
        request_hash: SHA-256 of the request, which differs from that of another request under the same key.
        terms: the `PaymentTerms` that the run starts with.
        asked_by: the `Actor` who asks for credits, without its network address: a freeze of them declines the payment,
            also when its run was lost and another one goes on. Null for other providers.
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
    """What a command asked of a payment that exists; its key serves no other command when its answer is forgotten.

    Written once, by the API, before the command is sent, and deleted when the command is refused. The platform's role
    alone reads and writes.

    Attributes:
        content_hash: as `contracts.common.base.content_of` makes it.
    """

    __tablename__ = "payment_command_contents"

    command_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str]
    content_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
