"""The organization's Stripe customer, created at the latest on first use, and its payment methods."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.customers.schemas import (
    CustomerView,
    PaymentMethodList,
    PaymentMethodView,
    PortalCreate,
    PortalView,
    ReturnUrl,
    SetupIntentView,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.common.ids import customer_command_key
from domain.payments.payment.snapshot import NOT_FOUND
from providers.payments.base import ProviderRefused
from providers.payments.stripe.customers import StripeCustomers
from repositories.payments import customer as customers
from runtime.identity import new_id
from services.billing import billing_profile
from services.common.provider_errors import provider_errors
from services.payments.customer import PROVIDER, ensure_customer

router = Resource(tags=["customers"])

# These come first among the parameters, so that the caller is checked first.
Reader = Annotated[Actor, require(Permission.READ_BILLING)]
Payer = Annotated[Actor, require(Permission.PAY)]
OrganizationParam = Annotated[OrganizationId | None, Query(description="For operators.")]

_FAULTS = (NotFound, refusals.RefusedByProvider, refusals.ProviderNotAvailable)
_ERRORS = errors(*_FAULTS)
_MISSING_METHOD = "There is no such payment method."
_METHOD_ID = re.compile(r"[A-Za-z0-9_]{1,100}")
_UNKNOWN_METHOD = frozenset({"payment_method.unknown", NOT_FOUND})


async def _stripe(deps: DepsDep) -> StripeCustomers:
    if deps.providers.customers is None:
        raise NotFound("Stripe is not configured here, so there are no customers.")
    return deps.providers.customers


StripeDep = Annotated[StripeCustomers, Depends(_stripe)]


async def _customer(deps: Deps, stripe: StripeCustomers, org_id: str) -> str:
    with provider_errors():
        return await ensure_customer(deps.database, stripe, org_id)


@contextmanager
def _about_a_method() -> Iterator[None]:
    """Respond 404 for a payment method that Stripe does not have, or that belongs to another customer."""
    with provider_errors():
        try:
            yield
        except ProviderRefused as error:
            if error.code in _UNKNOWN_METHOD:
                raise NotFound(_MISSING_METHOD) from error
            raise


def _payer_of(actor: Actor, method_id: str) -> str:
    """Return the organization that changes its method; a malformed id counts as not found."""
    if not _METHOD_ID.fullmatch(method_id):
        raise NotFound(_MISSING_METHOD)
    permit(actor, Permission.PAY)
    return acting_organization(actor, None)


@router.get("/billing/customer", responses=errors(NotFound))
async def get_customer(actor: Reader, deps: DepsDep, organization_id: OrganizationParam = None) -> CustomerView:
    """Show the organization's customer at Stripe; 404 if there is none yet."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.database.platform() as session:
        ref = await customers.ref_of(session, org_id, PROVIDER)
    if ref is None:
        raise NotFound("The organization is not a customer yet. Create the customer with POST /billing/customer.")
    return CustomerView(organization_id=org_id, provider=PROVIDER, customer_id=ref)


@router.post("/billing/customer", response_model=CustomerView, responses=_ERRORS)
async def create_customer(actor: Payer, deps: DepsDep, stripe: StripeDep, command: MayRepeat) -> Response:
    """Create the organization's customer at Stripe, or return the existing one."""
    org_id = acting_organization(actor, None)
    async with command:
        ref = await _customer(deps, stripe, org_id)
        return command.answer(CustomerView(organization_id=org_id, provider=PROVIDER, customer_id=ref))


@router.get("/billing/payment-methods", responses=_ERRORS, tags=["payment_methods"])
async def list_payment_methods(
    actor: Reader, deps: DepsDep, stripe: StripeDep, organization_id: OrganizationParam = None
) -> PaymentMethodList:
    """List the organization's payment methods as they are at Stripe now."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.database.platform() as session:
        ref = await customers.ref_of(session, org_id, PROVIDER)
    if ref is None:
        return PaymentMethodList(data=[])
    with provider_errors():
        methods = await stripe.methods(ref)
    return PaymentMethodList(data=[PaymentMethodView.of(method) for method in methods])


@router.post("/billing/setup-intent", response_model=SetupIntentView, responses=_ERRORS, tags=["payment_methods"])
async def create_setup_intent(actor: Payer, deps: DepsDep, stripe: StripeDep, command: MayRepeat) -> Response:
    """Create a setup intent to store a payment method for later charges; its secret opens Stripe's form."""
    org_id = acting_organization(actor, None)
    async with command:
        customer = await _customer(deps, stripe, org_id)
        key = customer_command_key(org_id, "setup-intent", command.command_id)
        with provider_errors():
            made = await stripe.setup_intent(customer, idempotency_key=key)
        return command.answer(SetupIntentView(id=made.id, client_secret=made.client_secret))


@router.put(
    "/billing/payment-methods/{method_id}/default",
    response_model=PaymentMethodList,
    responses=_ERRORS,
    tags=["payment_methods"],
)
async def make_default_payment_method(
    actor: ActorDep, method_id: str, deps: DepsDep, stripe: StripeDep, command: MayRepeat
) -> Response:
    """Make this payment method the default."""
    org_id = _payer_of(actor, method_id)
    async with command:
        customer = await _customer(deps, stripe, org_id)
        key = customer_command_key(org_id, "default-method", command.command_id)
        with _about_a_method():
            await stripe.set_default(customer, method_id, idempotency_key=key)
        await deps.record_act(actor, "payment_method.make_default", method_id)
        with provider_errors():
            methods = await stripe.methods(customer)
            country = await stripe.paying_country(customer, methods)
        async with deps.database.platform() as session:
            await billing_profile.note_card_country(session, actor, org_id, country)
        return command.answer(PaymentMethodList(data=[PaymentMethodView.of(method) for method in methods]))


@router.delete("/billing/payment-methods/{method_id}", status_code=204, responses=_ERRORS, tags=["payment_methods"])
async def detach_payment_method(actor: ActorDep, method_id: str, deps: DepsDep, stripe: StripeDep) -> None:
    """Detach a stored payment method permanently; detaching it again changes nothing."""
    org_id = _payer_of(actor, method_id)
    customer = await _customer(deps, stripe, org_id)
    # Detaching happens once in a method's life, so the method itself names the command.
    key = customer_command_key(org_id, "detach", method_id)
    with _about_a_method():
        await stripe.detach(customer, method_id, idempotency_key=key)
    await deps.record_act(actor, "payment_method.detach", method_id)
    with provider_errors():
        country = await stripe.paying_country(customer, await stripe.methods(customer))
    async with deps.database.platform() as session:
        await billing_profile.note_card_country(session, actor, org_id, country)


@router.get("/billing/portal", responses=errors(*_FAULTS, refusals.CustomerMissing))
async def open_portal(
    actor: Payer,
    deps: DepsDep,
    stripe: StripeDep,
    return_url: Annotated[
        ReturnUrl | None, Query(description="Where the payer returns to; BURSAR_PAYMENT_RETURN_URL when left out.")
    ] = None,
) -> PortalView:
    """Return the address of Stripe's customer portal, valid for minutes, for managing payment methods and receipts.

    It creates nothing: use the POST request, or `POST /billing/customer`, to create the customer.
    """
    org_id = acting_organization(actor, None)
    back = _return_url(deps, return_url)
    async with deps.database.platform() as session:
        customer = await customers.ref_of(session, org_id, PROVIDER)
    if customer is None:
        raise refusals.CustomerMissing(
            "The organization is not a customer at Stripe yet. Send this as a POST request to create the customer."
        )
    return await _portal(stripe, org_id, customer, back, new_id("cmd"))


@router.post("/billing/portal", response_model=PortalView, responses=_ERRORS)
async def create_portal_session(
    actor: Payer, deps: DepsDep, stripe: StripeDep, command: MayRepeat, body: PortalCreate | None = None
) -> Response:
    """Create the customer if there is none, and return the address of Stripe's customer portal."""
    org_id = acting_organization(actor, None)
    async with command:
        back = _return_url(deps, body.return_url if body else None)
        customer = await _customer(deps, stripe, org_id)
        return command.answer(await _portal(stripe, org_id, customer, back, command.command_id))


def _return_url(deps: Deps, given: str | None) -> str:
    found = given or deps.settings.payment_return_url
    if found is None:
        raise Invalid("return_url is required: the address to which the payer returns.", extra={"field": "return_url"})
    return found


async def _portal(stripe: StripeCustomers, org_id: str, customer: str, back: str, command_id: str) -> PortalView:
    key = customer_command_key(org_id, "portal", command_id)
    with provider_errors():
        return PortalView(url=await stripe.portal(customer, back, idempotency_key=key))
