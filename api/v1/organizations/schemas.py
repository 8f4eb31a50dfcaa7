"""What an organization looks like over HTTP."""

from datetime import datetime

from api.fields import Name, RequestModel, ResponseModel, example
from domain.project import Tier
from models.organization import Organization


class OrganizationCreate(RequestModel):
    """A new tenant."""

    model_config = example(name="Acme")

    name: Name
    tier: Tier = Tier.FREE


class TierChange(RequestModel):
    """The new tier of a tenant."""

    model_config = example(tier="premium")

    tier: Tier


class OrganizationView(ResponseModel):
    """A tenant."""

    id: str
    name: str
    tier: Tier
    created_at: datetime

    @classmethod
    def of(cls, row: Organization) -> "OrganizationView":
        """Show a row."""
        return cls(id=row.id, name=row.name, tier=Tier(row.tier), created_at=row.created_at)
