"""Stored payment methods for top-ups."""

from datetime import datetime

from api.deps import Deps
from domain.common.access import Actor
from repositories.payments import customer as customers
from services.payments.customer import PROVIDER
from services.payments.payment_method import default_method, stored_method


async def method_of(deps: Deps, actor: Actor) -> str:
    return await default_method(deps.providers, await _customer_of(deps, actor))


async def stored_method_of(deps: Deps, actor: Actor, method: str, *, now: datetime) -> str:
    """Return a payment method of the actor's organization that can be charged off session."""
    return await stored_method(deps.providers, await _customer_of(deps, actor), method, now=now)


async def _customer_of(deps: Deps, actor: Actor) -> str | None:
    assert actor.org_id is not None
    async with deps.session_for(actor) as session:
        return await customers.ref_of(session, actor.org_id, PROVIDER)
