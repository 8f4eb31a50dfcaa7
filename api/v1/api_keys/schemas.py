"""Request and response schemas of API keys."""

from datetime import datetime

from pydantic import Field

from api.fields import AgentId, Moment, OrganizationId, Principal, RequestModel, ResponseModel, example
from domain.common.access import Permission, Role
from models.tenants.api_key import ApiKey


class ApiKeyCreate(RequestModel):
    """A new key. An operator names the organization, or leaves it out for a key of the platform."""

    model_config = example(organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", principal="procurement", role="owner")

    organization_id: OrganizationId | None = None
    principal: Principal = Field(examples=["procurement"])
    role: Role
    agent_id: AgentId | None = Field(default=None, description="The agent that a key of role `agent` acts for.")
    permissions: list[Permission] = Field(
        default=[],
        max_length=10,
        description="Permissions beyond those of the role: for `agent`, `read_billing`, `accept` and `refund`.",
    )
    expires_at: Moment | None = None


class ApiKeyView(ResponseModel):
    """A key, without its secret."""

    id: str
    organization_id: str | None
    principal: str
    role: Role
    agent_id: str | None
    permissions: list[Permission] = Field(description="The permissions that the key has beyond those of its role.")
    department_id: str | None = Field(description="The department for which the key spends; null for its agent's.")
    project_id: str | None = Field(description="The project for which the key spends; null for its agent's.")
    by_mail: bool = Field(
        description="Whether the key is of an invited person, who signs in by mail. Such a key has no secret."
    )
    created_by: str = Field(description="The principal that issued the key.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: ApiKey) -> "ApiKeyView":
        return cls.from_row(row, by_mail=row.secret_hash is None)


class ApiKeyCreated(ApiKeyView):
    """A key with its secret, which is shown only once."""

    secret: str | None = Field(description="Send it as the bearer token. Null in a replayed response.")

    @classmethod
    def with_secret(cls, row: ApiKey, secret: str) -> "ApiKeyCreated":
        return cls.from_row(row, by_mail=row.secret_hash is None, secret=secret)


class ApiKeyRevoked(ResponseModel):
    """The keys that a revocation ended, and the active keys that the revoked key had issued."""

    revoked: list[ApiKeyView] = Field(
        description="The keys that this request revoked. Empty if the key was revoked before."
    )
    issued: list[ApiKeyView] = Field(
        description="Active keys that the key issued, directly or through others, and that you may revoke. Repeat the "
        "request with `with_issued=true` to revoke them."
    )
