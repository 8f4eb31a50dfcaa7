"""HTTP schemas of departments and attributions."""

from datetime import datetime

from pydantic import Field

from api.fields import DepartmentId, Name, OrganizationId, ProjectId, RequestModel, ResponseModel, example
from domain.credits.spend.scope import Attribution
from models.credits.department import Department
from models.marketplace.agent import Agent
from models.tenants.api_key import ApiKey


class DepartmentCreate(RequestModel):
    """A new department. An operator must name the organization."""

    model_config = example(name="Research")

    name: Name = Field(
        description="Unique among the organization's open departments, regardless of upper and lower case."
    )
    parent_id: DepartmentId | None = Field(default=None, description="The department above this one.")
    organization_id: OrganizationId | None = None


class DepartmentView(ResponseModel):
    """A department."""

    id: str
    organization_id: str
    name: str
    parent_id: str | None
    path: list[str] = Field(description="The ids from the topmost department to this one.")
    created_at: datetime
    closed_at: datetime | None = Field(description="A closed department cannot be spent for.")

    @classmethod
    def of(cls, row: Department) -> "DepartmentView":
        return cls.from_row(row)


class AttributionSet(RequestModel):
    """The department and project for which an agent or a key spends. Fields left out or null are removed."""

    model_config = example(department_id="dep_01kar6h2d8e4wvq3r5s7t9x1zy")

    department_id: DepartmentId | None = None
    project_id: ProjectId | None = None

    def attribution(self) -> Attribution:
        return Attribution(department_id=self.department_id, project_id=self.project_id)


class AttributionView(ResponseModel):
    """The department and project for which an agent or a key spends."""

    id: str = Field(description="The id of the agent or the key.")
    department_id: str | None
    project_id: str | None

    @classmethod
    def of(cls, row: Agent | ApiKey) -> "AttributionView":
        return cls.from_row(row)
