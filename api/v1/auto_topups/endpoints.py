"""The automatic top-up of an organization: read and set."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import acting_organization
from api.v1.auto_topups.schemas import AutoTopUpSet, AutoTopUpView, auto_topup_view
from api.v1.topups.methods import method_of, stored_method_of
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.errors import Invalid
from domain.common.ids import quote_tax_key
from domain.common.money import CREDIT, parse_amount
from domain.payments.auto_topup import month_start
from models.payments.auto_topup import AutoTopUp
from repositories.payments import auto_topup as auto_topups
from services.payments import auto_topup

router = Resource(tags=["auto_topups"])


@router.get("/billing/auto-topup")
async def get_auto_topup(deps: DepsDep, actor: Actor = require(Permission.READ_BILLING)) -> AutoTopUpView:
    """Show the automatic top-up: its settings, and the credits bought this month."""
    org_id = acting_organization(actor, None)
    async with deps.session_for(actor) as session:
        return await _shown(session, org_id)


@router.put(
    "/billing/auto-topup",
    response_model=AutoTopUpView,
    responses=errors(
        refusals.PaymentNoMethod, refusals.SessionByLink, refusals.PaymentMethodUnknown, refusals.PaymentMethodExpired
    ),
)
async def set_auto_topup(
    body: AutoTopUpSet, deps: DepsDep, *, actor: Actor = require(Permission.PAY), command: MayRepeat
) -> Response:
    """Set the automatic top-up: buy credits with a stored payment method when the balance falls below a threshold.

    A balance below the threshold makes one payment at a time, for the multiple of `credits` that brings it back to the
    threshold, within the monthly cap. When
    you change the settings, a balance that is already below counts as a fall. `payment_method` is a stored one of the
    organization. A declined payment is tried again on the days of dunning; after the last one the top-up is off. A
    request after a decline, also an unchanged one, has it tried at once.
    """
    org_id = acting_organization(actor, None)
    if body.enabled:
        refuse_by_link(actor, "switch the automatic top-up on")
    wanted = AutoTopUp(
        org_id=org_id,
        enabled=body.enabled,
        below_minor=parse_amount(body.below, CREDIT),
        credits_minor=parse_amount(body.credits, CREDIT),
        monthly_cap_minor=parse_amount(body.monthly_cap, CREDIT),
        payment_method=body.payment_method,
        updated_by=actor.qualified(),
    )
    if wanted.monthly_cap_minor < wanted.credits_minor:
        raise Invalid("monthly_cap must not be less than credits.", extra={"field": "monthly_cap"})
    async with command:
        if wanted.enabled:
            # What could not be paid for is refused now, and not at the first fall.
            now = datetime.now(UTC)
            if wanted.payment_method is None:
                method = await method_of(deps, actor)
            else:
                method = await stored_method_of(deps, actor, wanted.payment_method, now=now)
            key = quote_tax_key(org_id, f"credits {body.credits}", now.date())
            await deps.terms.off_session(org_id, method, wanted.credits_minor, key=key, now=now)
        async with deps.database.platform() as session:
            await auto_topup.save_settings(session, actor, wanted, now=datetime.now(UTC))
            return command.answer(await _shown(session, org_id))


async def _shown(session: AsyncSession, org_id: str) -> AutoTopUpView:
    wanted, bought = await auto_topups.read_settings(session, org_id, month_start(datetime.now(UTC)))
    return auto_topup_view(org_id, wanted, bought)
