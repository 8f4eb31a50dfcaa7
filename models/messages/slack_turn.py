"""Rate limit of Slack hooks."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SlackTurn(Base):
    """The next turn of a hook. Written by the platform's role, by every worker that posts to it.

    Attributes:
        hook: the SHA-256 of its URL, in hex; the URL itself is a secret.
        free_at: when the next message may be posted, by the clock of the database.
    """

    __tablename__ = "slack_turns"

    hook: Mapped[str] = mapped_column(primary_key=True, info={"holds": "identifier"})
    free_at: Mapped[datetime]
