"""What an organization looks like over HTTP."""

from datetime import datetime

from api.fields import Name, RequestModel, ResponseModel, example
from models.organization import Organization


class OrganizationCreate(RequestModel):
    """A new tenant."""

    model_config = example(name="Acme")

    name: Name


class OrganizationView(ResponseModel):
    """A tenant."""

    id: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, row: Organization) -> "OrganizationView":
        """Show a row."""
        return cls(id=row.id, name=row.name, created_at=row.created_at)
