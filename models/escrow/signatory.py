"""Principals that contracts name as signatories."""

from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Signatory(Base):
    """A principal that a contract has named as a signatory, in lower case.

    Written by a trigger on contracts; immutable. Read when a key is issued for another principal, because such a key
    signs in the principal's name.
    """

    __tablename__ = "signatories"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    principal: Mapped[str] = mapped_column(primary_key=True)
