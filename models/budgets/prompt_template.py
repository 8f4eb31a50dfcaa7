"""Templates of budget prompts."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PromptTemplate(Base):
    """Template of an organization. Written by the platform's role.

    Attributes:
        template: lines with placeholders, see `domain.budgets.prompt`; null for the standard one.
    """

    __tablename__ = "prompt_templates"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    template: Mapped[str | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
