"""Events refused by the search index."""

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SearchRefusal(Base):
    """An event that the search index refused, with its reason. Written by the platform's role.

    Attributes:
        index_name: the index.
        at: when it was last refused.
    """

    __tablename__ = "search_refusals"
    __table_args__ = (Index("ix_search_refusals_at", "at"),)

    event_id: Mapped[str] = mapped_column(primary_key=True)
    index_name: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
