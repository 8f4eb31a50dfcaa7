"""Billing profiles of organizations, and tax rates."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class BillingProfile(Base):
    """Billing profile of an organization, written by the organization and by operators.

    Attributes:
        country, region: ISO 3166 of the billing address.
        vat_id: with its country's prefix, in canonical form. `vat_reference` is the register's confirmation; null if
            not confirmed. It is deleted when the number or the country changes.
        charges_vat: the earnings of its agents include its VAT, which statements show.
        card_country: of the card that the organization pays with; `confirmed_country` is an operator's decision.
        legal_entity: the code of the entity that sells to it; null for the default one.
        is_exempt: exempt from tax by an operator's decision, for `exempt_reason`.
    """

    __tablename__ = "billing_profiles"
    __table_args__ = (
        CheckConstraint("num_nonnulls(vat_reference, vat_confirmed_at) <> 1", name="vat"),
        CheckConstraint("NOT is_exempt OR exempt_reason IS NOT NULL", name="exempt"),
        Index("ix_billing_profiles_vat_id", "vat_id", postgresql_where=text("vat_id IS NOT NULL")),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    legal_name: Mapped[str | None]
    line1: Mapped[str | None]
    line2: Mapped[str | None]
    city: Mapped[str | None]
    postal_code: Mapped[str | None]
    region: Mapped[str | None]
    country: Mapped[str | None] = mapped_column(info={"holds": "contact"})
    email: Mapped[str | None]
    language: Mapped[str | None]
    vat_id: Mapped[str | None]
    vat_reference: Mapped[str | None]
    vat_confirmed_at: Mapped[datetime | None]
    card_country: Mapped[str | None]
    confirmed_country: Mapped[str | None]
    is_exempt: Mapped[bool] = mapped_column(server_default=false(), info={"holds": "financial"})
    exempt_reason: Mapped[str | None]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    charges_vat: Mapped[bool] = mapped_column(server_default=false(), info={"holds": "financial"})
    legal_entity: Mapped[str | None]


class TaxRateRow(Base):
    """A tax rate, see `TaxRate`. Written by operators; immutable: a new one replaces it from its day on.

    Attributes:
        region, product: empty for all.
    """

    __tablename__ = "tax_rates"
    __table_args__ = (
        CheckConstraint("rate_e6 BETWEEN 0 AND 1000000 AND valid_until > valid_from", name="rate"),
        UniqueConstraint("country", "region", "product", "valid_from", name="uq_tax_rates_place_valid_from"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str]
    country: Mapped[str]
    region: Mapped[str] = mapped_column(info={"holds": "technical"})
    product: Mapped[str]
    rate_e6: Mapped[int]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
