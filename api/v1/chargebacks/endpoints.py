"""The chargeback endpoints. Chargebacks come from banks, so nobody makes one here; they are read and answered."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.tenancy import listed_organization
from api.v1.chargebacks.schemas import ChargebackEvidence, ChargebackView, view
from api.v1.payments import commands
from contracts.payment import SubmitDisputeEvidence
from domain.access import Actor, Permission
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.ids import is_id
from domain.payment.commands import NoResponse, NotYet
from domain.payment.snapshot import DisputeStatus
from domain.payment.state import Dispute, Payment
from repositories import chargeback
from repositories import payment as payments
from repositories.chargeback import Position

router = APIRouter(tags=["chargebacks"])

MovesMoney = Annotated[Command, idempotency(required=True)]

_CURSOR = "dsp"
_ANSWERING = errors(
    NotFound,
    Forbidden,
    NotYet,
    NoResponse,
    (Conflict, "payment.evidence_closed"),
    (Invalid, "payment.evidence_refused"),
)


@router.get("/disputes", response_model=Page[ChargebackView], responses=errors(NotFound))
async def list_chargebacks(
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    status: Annotated[DisputeStatus | None, Query(description="Only chargebacks in this state.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> Page[ChargebackView]:
    """List the chargebacks of the organization's payments, newest first."""
    org_id, after = listed_organization(actor, organization_id), _position(cursor)
    async with deps.session_for(actor) as session:
        rows = await chargeback.page(session, org_id=org_id, status=status, after=after, limit=limit + 1)
        shown = [view(payment, _of(payment, row.id)) for row, payment in ((r, payments.state_of(p)) for r, p in rows)]
    last = rows[limit - 1][0] if len(rows) > limit else None
    following = None if last is None else encode_cursor(_CURSOR, last.opened_at.isoformat(), last.id)
    return Page(data=shown[:limit], next_cursor=following)


@router.get("/disputes/{dispute_id}", response_model=ChargebackView, responses=errors(NotFound))
async def get_chargeback(dispute_id: str, actor: ActorDep, deps: DepsDep) -> ChargebackView:
    """Show a chargeback."""
    return view(*await _seen(deps, actor, dispute_id, Permission.READ))


@router.post("/disputes/{dispute_id}/evidence", response_model=ChargebackView, responses=_ANSWERING)
async def answer_chargeback(
    dispute_id: str, body: ChargebackEvidence, actor: ActorDep, deps: DepsDep, temporal: TemporalDep, once: MovesMoney
) -> Response:
    """Submit evidence to the bank. It can be submitted only once and cannot be changed."""
    payment, dispute = await _seen(deps, actor, dispute_id, Permission.CONTEST)
    command = SubmitDisputeEvidence(command_id=once.command_id, actor=actor, dispute_ref=dispute.ref, text=body.text)

    async def act() -> ChargebackView:
        await commands.send(deps, temporal, payment, "submit_evidence", command)
        after = await commands.seen(deps, actor, payment.terms.payment_id)
        return view(after, _of(after, dispute_id))

    return await once.run(act)


async def _seen(deps: Deps, actor: Actor, dispute_id: str, permission: Permission) -> tuple[Payment, Dispute]:
    """Look a chargeback up before the role is judged: 404 comes before 403. Of the platform, only operators get on."""
    found = None
    if is_id(dispute_id, "dsp"):
        async with deps.session_for(actor) as session:
            found = await chargeback.get(session, dispute_id)
    if found is None:
        raise NotFound("There is no such chargeback.")
    permit(actor, permission)
    if actor.is_platform:
        permit(actor, Permission.OPERATE)
    payment = payments.state_of(found[1])
    return payment, _of(payment, dispute_id)


def _of(payment: Payment, dispute_id: str) -> Dispute:
    return next(dispute for dispute in payment.disputes if dispute.dispute_id == dispute_id)


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    opened_at, last = decode_cursor(cursor, _CURSOR, str, str)
    try:
        moment = datetime.fromisoformat(opened_at)
        # In UTC it may lie before the year 1 or after 9999.
        utc = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise bad_cursor() from None
    if moment.tzinfo is None or not is_id(last, "dsp"):
        raise bad_cursor()
    return utc, last
