"""Pictures of agents and logos of organizations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PictureRow(Base):
    """The picture of an agent, or the logo of an organization (`subject`), as `domain.tenants.picture` keeps it.

    The row of its subject has the same `picture_sha256`. Written by the platform's role, replaced and deleted. Visible
    to those who see the agent, and to the organization.
    """

    __tablename__ = "pictures"
    __table_args__ = (
        CheckConstraint("media_type IN ('image/png', 'image/jpeg', 'image/webp')", name="media_type"),
        CheckConstraint("octet_length(content) <= 131072", name="content"),
        CheckConstraint("sha256 = encode(sha256(content), 'hex')", name="sha256"),
    )

    subject: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    media_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str]
    set_by: Mapped[str]
    set_at: Mapped[datetime]
