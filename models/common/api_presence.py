"""Last heartbeat of the API, and its latest outage."""

from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ApiPresence(Base):
    """A single row, written by every web process every few seconds, with the platform's role.

    Attributes:
        id: always 1.
        seen_at: the last write of any process, by the clock of the database.
        away_from: the start of the latest outage; null without one.
        away_until: its end.
        owed: the time still owed from earlier outages when it began; null for none.
        owed_from: the start of the first of those; null if nothing was owed.
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
