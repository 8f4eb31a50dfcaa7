"""Traits that relate organizations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.reputation.traits import TraitKind
from models.common.base import Base

_KINDS = ", ".join(f"'{kind}'" for kind in TraitKind)
_NOW = text("clock_timestamp()")


class OrganizationTrait(Base):
    """Trait of an organization: a payment method, tax id, referrer or the like. Visible to the platform only.

    Organizations that share a trait are related, and evidence between them is excluded. Written when a provider reports
    a payment method, and by operators.

    Attributes:
        digest: the value, keyed with `BURSAR_TRAIT_KEY`, see `domain.reputation.traits.digest`.
        ended_at: the time at which operators ended it.
        judged_at: the time at which the nightly run voided earlier evidence between organizations that share it.
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
