"""HTTP schemas of billing profiles."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.fields import EmailAddress, Flag, Name, OrganizationId, RequestModel, ResponseModel, example
from domain.billing.billing_profile import Profile
from models.billing.billing_profile import BillingProfile
from services.billing.tax import party_of

Country = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1, two letters.")]


class ProfileUpdate(RequestModel):
    """The buyer on invoices. Omitted fields are cleared."""

    model_config = example(
        legal_name="Acme GmbH",
        line1="Hauptstr. 1",
        city="Berlin",
        postal_code="10115",
        country="DE",
        email="billing@example.com",
        language="de",
        vat_id="DE136695976",
    )

    legal_name: Name | None = None
    line1: Name | None = None
    line2: Name | None = None
    city: Name | None = None
    postal_code: Annotated[str, Field(pattern="^[A-Z0-9 -]{2,12}$")] | None = None
    region: Annotated[str, Field(pattern="^[A-Z0-9]{1,3}$")] | None = None
    country: Country | None = None
    email: EmailAddress | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None
    vat_id: Annotated[str, Field(max_length=30)] | None = None
    charges_vat: Flag = Field(
        default=False, description="Its agents' earnings include VAT, and its statements show it. Needs a VAT number."
    )

    def profile(self) -> Profile:
        return Profile(**self.model_dump())


class ProfileDecision(RequestModel):
    """An operator's decision on an organization. Fields that are left out are cleared."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", confirmed_country="DE", exempt_reason="Charity"
    )

    organization_id: OrganizationId
    confirmed_country: Country | None = None
    exempt_reason: Name | None = Field(default=None, description="Why it is exempt from tax. Not exempt when left out.")
    legal_entity: Annotated[str, Field(pattern="^[A-Z][A-Z0-9]{1,7}$")] | None = Field(
        default=None, description="The code of the legal entity that sells to it; the usual one when left out."
    )


class ProfileView(ResponseModel):
    """A billing profile."""

    organization_id: str
    legal_name: str | None
    line1: str | None
    line2: str | None
    city: str | None
    postal_code: str | None
    region: str | None
    country: str | None
    email: str | None
    language: str | None
    vat_id: str | None
    vat_confirmed_at: datetime | None = Field(description="When a register confirmed the number; null until then.")
    charges_vat: bool = Field(description="Whether its statements show VAT, where possible.")
    card_country: str | None = Field(description="The country of the card that the organization pays with.")
    confirmed_country: str | None = Field(description="The country that an operator has determined.")
    proven_country: str | None = Field(description="The country that two pieces of evidence agree on.")
    exempt_reason: str | None
    legal_entity: str | None = Field(
        description="The code of the legal entity that sells to it; null for the usual one."
    )
    updated_at: datetime | None


def view(org_id: str, row: BillingProfile | None) -> ProfileView:
    names = [name for name in ProfileView.model_fields if name not in {"organization_id", "proven_country"}]
    kept = {name: getattr(row, name, None) for name in names} | {"charges_vat": row is not None and row.charges_vat}
    return ProfileView(organization_id=org_id, proven_country=party_of(row).proven_country, **kept)
