"""Request and response schemas of principals and invitations."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter

from api.fields import EmailAddress, OrganizationId, Principal as PrincipalName, RequestModel, ResponseModel, example
from domain.common.access import Role
from models.tenants.api_key import ApiKey
from repositories.tenants.principal import Principal


class PrincipalStatus(StrEnum):
    """`active`: it has a key, a session or a link, or signs in by mail; `invited`: the invitation is not accepted."""

    ACTIVE = "active"
    INVITED = "invited"


class PrincipalView(ResponseModel):
    """A principal of an organization, and its keys, sessions and links."""

    principal: str
    role: Role
    status: PrincipalStatus
    keys: int = Field(description="The number of active API keys.")
    sessions: int = Field(description="The number of sessions that have not ended.")
    links: int = Field(description="The number of links that others made for the principal and that can be used.")
    by_mail: bool = Field(description="Whether it is a person who was invited and signs in by mail.")
    invited_by: str | None = Field(description="Who invited the person.")
    expires_at: datetime | None = Field(description="When the invitation ends; null once it is accepted.")
    accepted_at: datetime | None
    last_used_at: datetime | None = Field(description="The last use of a key or a session.")

    @classmethod
    def of(cls, found: Principal) -> "PrincipalView":
        is_pending = found.invited_until is not None and found.accepted_at is None
        return cls.from_row(
            found,
            status=PrincipalStatus.INVITED if is_pending else PrincipalStatus.ACTIVE,
            by_mail=found.invited_by is not None,
            expires_at=found.invited_until,
        )


class InvitationCreate(RequestModel):
    """An invitation of a person. An operator names the organization."""

    model_config = example(organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", email="maria@acme.example", role="finance")

    organization_id: OrganizationId | None = None
    email: Annotated[EmailAddress, AfterValidator(TypeAdapter(PrincipalName).validate_python)] = Field(
        description="Where the invitation is mailed to, and the name of the principal: letters, digits and ._+- before "
        "the @, at most 100 characters."
    )
    role: Role


class InvitationView(ResponseModel):
    """An invitation that was mailed."""

    id: str = Field(description="The id of the person's key, which has no secret.")
    organization_id: str
    email: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime | None = Field(description="When it ends; null if it is accepted.")

    @classmethod
    def of(cls, row: ApiKey) -> "InvitationView":
        assert row.org_id is not None
        return cls.from_row(row, email=row.principal, invited_by=row.created_by)


class SignIn(RequestModel):
    """The address of a person who wants to sign in."""

    model_config = example(email="maria@acme.example")

    email: EmailAddress
