"""What a purchase costs, before anything is made: from the function that makes the terms of its payment."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Amount, OrganizationId
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.marketplace.endpoints import listed, purchase_payments
from api.v1.payments.schemas import Coin, PaymentCreate, PaymentOptions, ProviderName
from api.v1.payments.terms import Terms
from api.v1.quotes.schemas import BillingQuoteView
from api.v1.topups.schemas import PackageName
from domain.billing.project import MAX_SLOTS
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.common.ids import quote_tax_key
from domain.common.money import CREDIT, parse_amount
from domain.payments.payment.terms import PurposeKind
from domain.payments.topup import find_package

router = Resource(tags=["topups"])


@router.get(
    "/billing/quote",
    responses=errors(
        NotFound,
        refusals.NotForSale,
        refusals.RefusedByProvider,
        refusals.ProviderNotAvailable,
        refusals.TaxRefused,
        refusals.TaxUnavailable,
    ),
)
async def get_quote(
    deps: DepsDep,
    amount: Annotated[Amount | None, Query(alias="credits", description="The number of credits.")] = None,
    package: Annotated[PackageName | None, Query(description="The package of credits.")] = None,
    slots: Annotated[int | None, Query(ge=1, le=MAX_SLOTS, description="The number of slots for deployments.")] = None,
    agent_id: Annotated[str | None, Query(description="The agent, at its price in money.")] = None,
    provider: Annotated[
        ProviderName, Query(description="The provider that would take the payment.")
    ] = ProviderName.STRIPE,
    asset: Annotated[Coin | None, Query(description="The coin to pay in, with `crypto`.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> BillingQuoteView:
    """Quote the current price of credits, a package, slots or an agent, with tax. Nothing is created.

    Name one of `credits`, `package`, `slots` and `agent_id`.
    The quote is refused if the payment would be refused.
    """
    named_by = {"credits": amount, "package": package, "slots": slots, "agent": agent_id}
    wanted = [f"{name} {value}" for name, value in named_by.items() if value is not None]
    if len(wanted) != 1:
        raise Invalid("Name one of credits, package, slots and agent_id.", extra={"field": "credits"})
    org_id = await known_organization(deps, actor, organization_id)
    key = quote_tax_key(org_id, wanted[0], datetime.now(UTC).date())
    terms = Terms(deps, org_id, PaymentOptions(provider=provider, asset=asset), key)
    if package is not None:
        found = await terms.package(find_package(deps.settings.packages, package))
    elif amount is not None:
        found = await terms.credits(parse_amount(amount, CREDIT))
    elif agent_id is not None:
        found = await terms.ordered(PurposeKind.PURCHASE, purchase_payments(deps, await listed(deps, actor, agent_id)))
    else:
        found = await terms.of(
            PaymentCreate(provider=provider, asset=asset, purpose=PurposeKind.SLOT, slots=slots), actor
        )
    return BillingQuoteView.of(found, package)
