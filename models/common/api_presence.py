"""When the API was there last, and when it was away."""

from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ApiPresence(Base):
    """One row for all web processes. Each of them writes it every few seconds, with the platform's role.

    Attributes:
        id: always 1.
        seen_at: when a process wrote last, by the clock of the database.
        away_from: the beginning of the latest time in which no process wrote; null if there was none.
        away_until: its end.
        owed: what the times before it had not given back when it began; null for nothing.
        owed_from: the beginning of the first of those; null if nothing was owed.
    """

    __tablename__ = "api_presence"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"), info={"holds": "technical"}
    )
    seen_at: Mapped[datetime]
    away_from: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    owed: Mapped[timedelta | None]
    owed_from: Mapped[datetime | None]
