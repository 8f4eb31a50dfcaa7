"""Using an agent of the marketplace that is priced by usage."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from starlette.responses import Response

from api.deps import Deps
from api.errors import errors
from api.v1.spends.asking import Completing, asked_by
from api.v1.spends.schemas import UseCreate, used_document
from domain.access import Actor
from domain.errors import Conflict, Forbidden, InsufficientFunds, Invalid, NotFound, SpendLimitExceeded
from domain.marketplace.offer import NotForSale
from domain.spend.scope import SpendingKey
from repositories import agent as agents
from services import marketplace_use as service
from services.marketplace_use import NewUse

#: What using credits is refused with, of the marketplace's agents too.
USING = errors(
    InsufficientFunds,
    SpendLimitExceeded,
    NotFound,
    (Forbidden, "marketplace.own_agent"),
    (Forbidden, "marketplace.related"),
    (Forbidden, "marketplace.not_in_library"),
    NotForSale,
    (Conflict, "marketplace.not_metered"),
    (Conflict, "marketplace.suspended"),
)


async def use_agent(deps: Deps, actor: Actor, key: SpendingKey, body: UseCreate, spend_key: str) -> Response:
    """Charge the use of an agent and share it, or answer what the key has paid already.

    Raises:
        Invalid: an amount is named, or a meter without a price.
        NotFound, Forbidden, Conflict: the agent is not there, or not the organization's to use.
        InsufficientFunds, SpendLimitExceeded: the books refused it.
    """
    assert actor.org_id is not None
    assert body.payee_agent_id is not None
    if body.amount is not None:
        raise Invalid("The use of an agent costs what its offer says. Leave the amount out.", extra={"field": "amount"})
    async with deps.session_for(actor) as session:
        await agents.get(session, body.payee_agent_id)
    # Whom it is for is the key's, as for every spend; what it costs, the purchase says.
    asked = replace(asked_by(actor, key, body, spend_key), amount_minor=0)
    wanted = NewUse(
        agent_id=body.payee_agent_id, meter=body.action, spend=await Completing(deps, actor, key).complete(asked)
    )
    async with deps.database.platform() as session:
        used = await service.use(
            session,
            actor.org_id,
            wanted,
            creator_bps=deps.settings.creator_share_bps,
            exempt=deps.settings.evidence_policy.registrars,
            pays_out_granted=deps.settings.pay_out_granted_credits,
            now=datetime.now(UTC),
        )
    # A control's refusal is on record, so it was committed.
    if used.refusal is not None:
        raise used.refusal
    assert used.use is not None
    assert used.spend is not None
    headers = {"Idempotent-Replayed": "true"} if used.replayed else None
    return Response(json.dumps(used_document(used.use, used.spend)), 201, headers, "application/json")
