"""What was asked for under which command: the intent of a payment, written before its run starts."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class PaymentCommand(Base):
    """One request to make a payment. Written once, by the API, before the run starts; rows are immutable.

    Whoever repeats the command finds the terms of the first try, its id and its quote among them, and so starts the
    same payment or finds it running.

    Attributes:
        request_hash: SHA-256 of the request, so that the key of another one is told apart.
        terms: the `PaymentTerms` that the run starts with.
    """

    __tablename__ = "payment_commands"

    command_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    payment_id: Mapped[str] = mapped_column(unique=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
