"""Whom an organization's invoices are made out to, and the tax rates that they are charged."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class BillingProfile(Base):
    """Who an organization is for its invoices. The organization writes what it knows itself.

    Attributes:
        country, region: ISO 3166 of the billing address.
        vat_id: with its country's prefix, of a good form. `vat_reference` is what the register answered to its
            confirmation; without one it is not confirmed. Both are forgotten when the number or the country changes.
        charges_vat: what its agents earn includes its VAT, which statements state.
        card_country: of the card that the organization pays with; `confirmed_country` what an operator found.
        legal_entity: the code of the one that sells to it; null for the usual one.
        is_exempt: pays no tax, by an operator's word; `exempt_reason` says why.
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
    """A tax rate, see `TaxRate`. Written by operators and never changed: a new one takes over from its day on.

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
