"""What organizations have in common."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.reputation.traits import TraitKind
from models.common.base import Base

_KINDS = ", ".join(f"'{kind}'" for kind in TraitKind)
_NOW = text("clock_timestamp()")


class OrganizationTrait(Base):
    """Something that an organization has: a method of payment, a tax id, who referred it. The platform's own.

    Organizations that share one are related, and what passes between related ones counts for nothing. Written where a
    provider says how somebody pays, and by operators.

    Attributes:
        digest: what it is, keyed with `BURSAR_TRAIT_KEY`: `domain.reputation.traits.digest`.
        ended_at: since when it relates nobody, because operators said so.
        judged_at: when the night has voided what organizations had said of each other before they shared it.
    """

    __tablename__ = "organization_traits"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind"),
        Index("ix_organization_traits_kind_digest", "kind", "digest", "org_id"),
        Index("ix_organization_traits_new", "org_id", postgresql_where=text("judged_at IS NULL")),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    first_seen: Mapped[datetime] = mapped_column(server_default=_NOW)
    last_seen: Mapped[datetime] = mapped_column(server_default=_NOW)
    ended_at: Mapped[datetime | None]
    judged_at: Mapped[datetime | None]
