"""What projects and deployment slots look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.fields import Name, ResponseModel, Whole, example
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown as written_on
from api.v1.payments.schemas import MoneyView, PaymentCreate, PaymentOptions, PaymentView, money
from domain.billing.project import MAX_SLOTS, MAX_SLUG, SLUG, DeployType, ProjectUsage, SlotPrice, slug_of
from domain.common.errors import Invalid
from domain.payments.payment.terms import PurposeKind
from models.billing.project import Project
from models.tenants.metadata import ObjectMetadata

#: What a project goes by in its address.
Slug = Annotated[str, StringConstraints(pattern=f"^{SLUG.pattern}$", max_length=MAX_SLUG)]


class ProjectCreate(WithMetadata):
    """A new project. If the slug is left out, it is made from the name; if the name is left out, it is the slug."""

    model_config = example(name="Summaries", slug="summaries", metadata={"repository": "summaries"})

    name: Name | None = None
    slug: Slug | None = Field(
        default=None,
        description="The project's name in its address: lower-case letters and digits, with hyphens between them.",
    )
    deploy_type: DeployType = Field(default=DeployType.DEVELOPMENT, description="The purpose of its deployment.")

    def named(self) -> tuple[str, str]:
        """Return the slug and the name.

        Raises:
            Invalid: neither is given, or no slug can be made of the name.
        """
        name = self.name or self.slug
        if name is None:
            raise Invalid("Set name, slug or both.", extra={"field": "slug"})
        return self.slug or slug_of(name), name


class ProjectUpdate(MetadataUpdate):
    """Changes of a project. Fields that are left out stay as they are. The slug cannot change."""

    model_config = example(name="Summaries of reports", external_id="project-7")

    name: Name | None = None


class ProjectView(MetadataView):
    """A project, and whether it is deployed."""

    id: str
    organization_id: str
    slug: str
    name: str
    deploy_type: DeployType
    deployed: bool
    is_deployed: bool = Field(description="The same as `deployed`.")
    deployed_at: datetime | None = Field(description="When it was deployed; null if it is not deployed.")
    occupies_slot: bool = Field(
        description="Whether it occupies a slot, because it is deployed beyond the plan's limit."
    )
    created_at: datetime

    @classmethod
    def of(cls, row: Project, own: ObjectMetadata | None) -> "ProjectView":
        return cls.from_row(
            row, deployed=row.deployed_at is not None, is_deployed=row.deployed_at is not None, **written_on(own)
        )


class ProjectLimitView(ResponseModel):
    """A limit, and how much of it is used. After a change to a smaller plan, `used` can exceed `limit`."""

    limit: int | None = Field(description="The limit; null if there is none.")
    used: int


class SlotsView(ResponseModel):
    """The slots of an organization. Each one adds one project and one deployment to the plan's limits."""

    free: int
    in_use: int = Field(description="Slots occupied by deployments beyond the plan's limit.")
    owed: int = Field(description="Slots owed after a chargeback of slots in use. The next slots bought repay them.")


class LimitsView(ResponseModel):
    """The limits of an organization, and how much of them it uses."""

    organization_id: str
    tier: str = Field(description="The organization's plan.")
    projects: ProjectLimitView
    deployments: ProjectLimitView
    slots: SlotsView
    slot_price: MoneyView = Field(
        description="The price of one slot. `GET /billing/quote` shows it with the organization's tax."
    )


class SlotPurchase(PaymentOptions, WithMetadata):
    """A purchase of deployment slots. `GET /projects/deployment/limits` shows the price of one."""

    model_config = example(slots=2, provider="stripe")

    slots: Annotated[Whole, Field(ge=1, le=MAX_SLOTS)] = 1

    def payment(self) -> PaymentCreate:
        """Return the same request as it is made at `POST /payments`."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return PaymentCreate(purpose=PurposeKind.SLOT, **named)


class SlotPurchaseView(PaymentView):
    """The payment, and the current limits. The slots can be used as soon as the money is received."""

    slots: int
    limits: LimitsView


def limits_view(org_id: str, usage: ProjectUsage, price: SlotPrice) -> LimitsView:
    return LimitsView(
        organization_id=org_id,
        tier=usage.plan.name,
        projects=ProjectLimitView(limit=usage.project_limit, used=usage.projects),
        deployments=ProjectLimitView(limit=usage.deployment_limit, used=usage.deployments),
        slots=SlotsView(free=usage.slots_free, in_use=usage.slots_in_use, owed=usage.slots_owed),
        slot_price=money(price.price_minor, price.currency),
    )


def purchase_view(payment: PaymentView, limits: LimitsView) -> SlotPurchaseView:
    shown: dict[str, Any] = {name: getattr(payment, name) for name in type(payment).model_fields}
    return SlotPurchaseView(**shown, slots=int(payment.goods.amount), limits=limits)
