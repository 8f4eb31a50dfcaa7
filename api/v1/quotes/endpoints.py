"""What a purchase costs, before anything is made: from the function that makes the terms of its payment."""

from typing import Annotated

from fastapi import Query

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Amount, OrganizationId
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.payments.schemas import Coin, PaymentCreate, PaymentOptions, ProviderName
from api.v1.payments.terms import Terms
from api.v1.quotes.schemas import BillingQuoteView
from api.v1.topups.schemas import PackageName
from domain.access import Actor, Permission
from domain.errors import Invalid, NotFound, Unavailable
from domain.money import CREDIT, parse_amount
from domain.payment.terms import PurposeKind
from domain.project import MAX_SLOTS
from domain.topup import named

router = Resource(tags=["topups"])


@router.get(
    "/billing/quote",
    response_model=BillingQuoteView,
    responses=errors(NotFound, (Invalid, "provider.refused"), (Unavailable, "provider.unavailable")),
)
async def get_quote(
    deps: DepsDep,
    amount: Annotated[Amount | None, Query(alias="credits", description="So many credits.")] = None,
    package: Annotated[PackageName | None, Query(description="This package of credits.")] = None,
    slots: Annotated[int | None, Query(ge=1, le=MAX_SLOTS, description="So many slots for deployments.")] = None,
    provider: Annotated[ProviderName, Query(description="Who would take the payment.")] = ProviderName.STRIPE,
    asset: Annotated[Coin | None, Query(description="With `crypto`: the coin that would pay.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> BillingQuoteView:
    """Show what credits, a package or slots cost now, with tax; nothing is made.

    Name one of `credits`, `package` and `slots`. What a payment would be refused for, the quote is refused for too.
    """
    if sum(each is not None for each in (amount, package, slots)) != 1:
        raise Invalid("Name one of credits, package and slots.", extra={"field": "credits"})
    org_id = await known_organization(deps, actor, organization_id)
    terms = Terms(deps, org_id, PaymentOptions(provider=provider, asset=asset))
    if package is not None:
        found = await terms.package(named(deps.settings.packages, package))
    elif amount is not None:
        found = await terms.credits(parse_amount(amount, CREDIT))
    else:
        wanted = PaymentCreate(provider=provider, asset=asset, purpose=PurposeKind.SLOT, slots=slots)
        found = await terms.of(wanted, actor)
    return BillingQuoteView.of(found, package)
