"""Buying credits. Each purchase is a payment, which `GET /payments/{id}` follows."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response
from temporalio.client import Client

from api.auth import require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.idempotency import Command, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.payments import commands
from api.v1.payments.endpoints import CREATING, payment_view
from api.v1.payments.schemas import PaymentOptions, PaymentView, ProviderName
from api.v1.payments.terms import Terms
from api.v1.topups.methods import method_of
from api.v1.topups.schemas import (
    CheckoutPackage,
    CheckoutView,
    PackageList,
    PurchasePackage,
    PurchaseView,
    TopUp,
    TopUpView,
    checkout_view,
    package_view,
    topup_view,
)
from domain.common.access import Actor, Permission
from domain.common.errors import ExternalIdTaken, NotFound, PaymentNoMethod
from domain.common.ids import sale_tax_key
from domain.common.money import CREDIT, parse_amount
from domain.credits.lots import LotSource
from domain.payments.payment.terms import PaymentTerms
from domain.payments.topup import find_package
from domain.tenants.metadata import OwnMetadata
from repositories.credits import credit_lot as lots

router = Resource(tags=["topups"])


_BUYING = errors(*CREATING, ExternalIdTaken)
_CHARGING = errors(*CREATING, PaymentNoMethod, ExternalIdTaken)

MakeTerms = Callable[[], Awaitable[PaymentTerms]]


@router.post(
    "/payments/credits/purchase", status_code=201, response_model=TopUpView, responses=_BUYING, deprecated=True
)
@router.post(
    "/billing/topup", status_code=201, response_model=TopUpView, responses=_BUYING, operation_id="topups.create"
)
async def top_up(
    body: TopUp, deps: DepsDep, temporal: TemporalDep, once: MovesMoney, actor: Actor = require(Permission.PAY)
) -> Response:
    """Buy a number of credits. They are granted as soon as the money is received."""
    terms = _terms(deps, actor, body, once)

    async def wanted() -> PaymentTerms:
        return body.require_total(await terms.credits(parse_amount(body.amount, CREDIT)))

    return await _begin(deps, temporal, actor, once, wanted, body.own(), lambda made: _without_blanks(topup_view(made)))


@router.get("/billing/credit-packages", tags=["credit_packages"])
async def list_credit_packages(deps: DepsDep, _actor: Actor = require(Permission.READ)) -> PackageList:
    """List the credit packages for sale."""
    return PackageList(data=[package_view(package) for package in deps.settings.packages])


@router.post(
    "/billing/purchase-credits",
    status_code=201,
    response_model=TopUpView,
    responses=_CHARGING,
    tags=["credit_packages"],
)
async def purchase_package(
    body: PurchasePackage,
    deps: DepsDep,
    temporal: TemporalDep,
    once: MovesMoney,
    actor: Actor = require(Permission.PAY),
) -> Response:
    """Buy a package with a stored payment method, charged off session. A decline is a 402."""

    async def wanted() -> PaymentTerms:
        package = find_package(deps.settings.packages, body.name)
        method = body.method or await method_of(deps, actor)
        options = PaymentOptions(provider=ProviderName.STRIPE, payment_method=method, off_session=True)
        return body.require_total(await _terms(deps, actor, options, once).package(package))

    return await _begin(deps, temporal, actor, once, wanted, body.own(), lambda made: _without_blanks(topup_view(made)))


@router.post(
    "/billing/credits/purchase",
    status_code=201,
    response_model=CheckoutView,
    responses=_BUYING,
    tags=["credit_packages"],
)
async def check_out_package(
    body: CheckoutPackage,
    deps: DepsDep,
    temporal: TemporalDep,
    once: MovesMoney,
    actor: Actor = require(Permission.PAY),
) -> Response:
    """Buy a package on the provider's hosted page: send the payer to `url`."""

    async def wanted() -> PaymentTerms:
        options = PaymentOptions(provider=ProviderName(body.provider.value), hosted=True, return_url=body.return_url)
        package = find_package(deps.settings.packages, body.name)
        return body.require_total(await _terms(deps, actor, options, once).package(package))

    return await _begin(deps, temporal, actor, once, wanted, body.own(), checkout_view)


_LIST = ListEndpoint(
    "credits-history",
    PurchaseView,
    *(*CREATED, "organization_id", "min_amount", "max_amount", "q"),
    order=["lot"],
    currency=CREDIT,
    source=Annotated[LotSource | None, Query(description="Only grants and purchases of this source.")],
)


@_LIST.get(router, "/billing/credits/history", NotFound, tags=["credit_packages"])
async def list_purchases(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List the grants and purchases of credits, newest first, with their prices."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), lots.page, wanted, PurchaseView.of)


async def _begin(
    deps: Deps,
    temporal: Client,
    actor: Actor,
    once: Command,
    wanted: MakeTerms,
    own: OwnMetadata,
    show: Callable[[PaymentView], Any],
) -> Response:
    async with once:
        return once.answer(show(payment_view(await commands.create(deps, temporal, actor, once, wanted, own), actor)))


def _terms(deps: Deps, actor: Actor, options: PaymentOptions, once: Command) -> Terms:
    assert actor.org_id is not None
    return Terms(deps, actor.org_id, options, sale_tax_key(once.command_id))


def _without_blanks(shown_view: TopUpView) -> dict[str, Any]:
    """Leave out what the payer does not have to do, as clients have it from the beginning."""
    return shown_view.model_dump(mode="json", exclude_none=True)
