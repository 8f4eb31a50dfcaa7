"""Request and response schemas of organizations."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import EmailAddress, Name, Note, OrganizationId, RequestModel, ResponseModel, example
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from api.pictures import picture_url
from domain.billing.plan import FREE, PLAN_NAME
from domain.common.mail import LANGUAGES, MAX_CONTACTS, Contact, Language, Purpose
from domain.tenants.organization import OrganizationStatus, TimedExits
from models.tenants.contact import OrganizationContacts
from models.tenants.metadata import ObjectMetadata
from models.tenants.organization import Organization
from repositories.tenants.contact import contacts_of

TierName = Annotated[
    str,
    StringConstraints(pattern=f"^{PLAN_NAME.pattern}$"),
    Field(description="The name of a plan of `GET /billing/plans`."),
]


class OrganizationCreate(WithMetadata):
    """A new organization."""

    model_config = example(name="Acme", external_id="customer-1042", metadata={"region": "emea"})

    name: Name
    tier: TierName = FREE
    referred_by: OrganizationId | None = Field(
        default=None, description="The organization that referred it, which is rewarded later."
    )


class OrganizationUpdate(MetadataUpdate):
    """Changes of an organization. Fields that are left out stay as they are. Contacts have their own endpoint."""

    model_config = example(name="Acme International", metadata={"region": "apac", "pilot": ""})

    name: Name | None = None


class TierChange(RequestModel):
    """The new tier of an organization."""

    model_config = example(tier="premium")

    tier: TierName


class Suspension(RequestModel):
    """Why an organization is suspended, and whether its escrows' timed exits pause."""

    model_config = example(reason="Payments are under investigation.")

    reason: Annotated[Note, StringConstraints(min_length=1)] = Field(
        description="The reason. The organization sees it, and the audit trail keeps it."
    )
    timed_exits: TimedExits = Field(
        default=TimedExits.CONTINUE,
        description="`pause`: while the organization is suspended, no escrow is released to its agents by time.",
    )


class Closing(RequestModel):
    """Why an organization is closed."""

    model_config = example(reason="The customer has left.")

    reason: Note | None = Field(
        default=None, description="The reason. It is stored with the organization and in the audit trail."
    )


class OrganizationView(MetadataView):
    """An organization."""

    id: str
    name: str
    tier: str = Field(description="The organization's plan.")
    status: OrganizationStatus = Field(
        description="Unless it is `active`, nothing new can begin with the organization."
    )
    status_reason: str | None = Field(description="Why it was suspended or closed.")
    status_changed_at: datetime | None = Field(description="When it was last suspended, resumed or closed.")
    timed_exits: TimedExits = Field(
        description="Whether escrows are released to its agents by time during its last suspension."
    )
    logo_url: str | None = Field(description="The path of its logo, which changes with it; null without one.")
    created_at: datetime

    @classmethod
    def of(cls, row: Organization, own: ObjectMetadata | None) -> "OrganizationView":
        logo_url = picture_url(f"/organizations/{row.id}/logo", row.picture_sha256)
        return cls.from_row(row, status_changed_at=row.status_at, logo_url=logo_url, **shown(own))


class ContactSet(RequestModel):
    """An address, and the purposes of mails to it."""

    email: EmailAddress
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=len(Purpose))]

    def contact(self) -> Contact:
        return Contact(address=self.email, purposes=frozenset(self.purposes))


class ContactsSet(RequestModel):
    """All contacts of an organization. They replace the current ones."""

    model_config = example(
        language="de",
        contacts=[
            {"email": "billing@acme.example", "purposes": ["billing"]},
            {"email": "owner@acme.example", "purposes": ["billing", "security"]},
        ],
    )

    language: Language = "en"
    contacts: Annotated[list[ContactSet], Field(max_length=MAX_CONTACTS)]


class ContactsUpdate(RequestModel):
    """Changes of an organization's contacts. Fields that are left out stay as they are."""

    model_config = example(language="de")

    language: Language | None = None
    contacts: Annotated[list[ContactSet], Field(max_length=MAX_CONTACTS)] | None = Field(
        default=None, description="All contacts. They replace the current ones."
    )


class ContactView(ResponseModel):
    """An address, and the purposes of mails to it."""

    email: str
    purposes: list[Purpose]


class ContactsView(ResponseModel):
    """An organization's contacts, and the language of mails to them."""

    organization_id: str
    language: str
    contacts: list[ContactView]
    updated_at: datetime | None = Field(description="When the contacts were set; null if they never were.")

    @classmethod
    def of(cls, org_id: str, row: OrganizationContacts | None) -> "ContactsView":
        return cls(
            organization_id=org_id,
            language=row.language if row else LANGUAGES[0],
            contacts=[ContactView(email=each.address, purposes=sorted(each.purposes)) for each in contacts_of(row)],
            updated_at=row.updated_at if row else None,
        )
