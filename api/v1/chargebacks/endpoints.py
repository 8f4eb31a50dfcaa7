"""The chargeback endpoints. Banks open chargebacks; here they are read and answered."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import PaymentId
from api.idempotency import MovesMoney
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.chargebacks.schemas import ChargebackEvidence, ChargebackView, view
from api.v1.payments import commands
from contracts.payments.payment import SubmitDisputeEvidence
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound, ProviderCallPending
from domain.common.ids import is_id
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Dispute, Payment
from repositories.payments import chargeback, payment as payments

router = Resource(tags=["chargebacks"])


_ANSWERING = errors(
    ProviderCallPending, refusals.ProviderNotAvailable, refusals.PaymentEvidenceClosed, refusals.PaymentEvidenceRefused
)


_LIST = ListEndpoint(
    "disputes",
    ChargebackView,
    *(*CREATED, "organization_id", "provider", *AMOUNT, "q"),
    order=[datetime, "dsp"],
    status=DisputeStatus,
    payment_id=Annotated[PaymentId | None, Query(description="Only chargebacks of this payment.")],
)


@_LIST.get(router, "/disputes", NotFound)
async def list_chargebacks(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List the chargebacks of the organization's payments, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        found = await chargeback.page(session, wanted)
    states = ((row, payments.state_of(payment)) for row, payment in found.rows)
    return [view(payment, _of(payment, row.id)) for row, payment in states], found.following


@router.get("/disputes/{dispute_id}")
async def get_chargeback(dispute_id: str, actor: ActorDep, deps: DepsDep) -> ChargebackView:
    """Show a chargeback."""
    return view(*await _find_chargeback(deps, actor, dispute_id, Permission.READ_BILLING))


@router.post("/disputes/{dispute_id}/evidence", response_model=ChargebackView, responses=_ANSWERING)
async def answer_chargeback(
    dispute_id: str, body: ChargebackEvidence, actor: ActorDep, deps: DepsDep, temporal: TemporalDep, once: MovesMoney
) -> Response:
    """Answer a chargeback.

    With an operator's key the evidence is submitted to the bank. It can be submitted only once and cannot be changed.
    With an organization's key the evidence is stored in `offered_evidence`. A later call replaces it until operators
    have answered the bank. Operators read it and decide what is submitted.
    """
    payment, dispute = await _find_chargeback(deps, actor, dispute_id, Permission.CONTEST)
    command = SubmitDisputeEvidence(command_id=once.command_id, actor=actor, dispute_ref=dispute.ref, text=body.text)
    async with once:
        await commands.send(deps, temporal, payment, "submit_evidence", command)
        after = await commands.find_payment(deps, actor, payment.terms.payment_id)
        return once.answer(view(after, _of(after, dispute_id)))


async def _find_chargeback(
    deps: Deps, actor: Actor, dispute_id: str, permission: Permission
) -> tuple[Payment, Dispute]:
    """Look a chargeback up before the role is judged: 404 comes before 403. Of the platform, only operators get on."""
    found = None
    if is_id(dispute_id, "dsp"):
        async with deps.session_for(actor) as session:
            found = await chargeback.get(session, dispute_id)
    if found is None:
        raise NotFound("There is no such chargeback.")
    permit(actor, permission)
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    payment = payments.state_of(found[1])
    return payment, _of(payment, dispute_id)


def _of(payment: Payment, dispute_id: str) -> Dispute:
    return next(dispute for dispute in payment.disputes if dispute.dispute_id == dispute_id)
