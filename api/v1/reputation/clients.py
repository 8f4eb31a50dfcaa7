"""The trust in organizations as clients, for themselves, operators and their payees."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from api.auth import ActorDep, permit
from api.deps import DepsDep
from api.fields import ResponseModel
from api.routing import Resource
from api.v1.reputation.schemas import UNKNOWN, points
from domain.common.access import Permission
from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.reputation.clients import ClientFact
from domain.reputation.evidence import ONE_E6, Beta, Evidence
from domain.reputation.score import stars
from models.reputation.reputation import ReputationClientRow
from repositories.escrow import contract as contracts
from repositories.reputation import reputation_client as store
from repositories.tenants import organization as organizations

router = Resource(tags=["reputation"])

_FACTS = {
    ClientFact.PAID: "A contract was paid out",
    ClientFact.ACCEPTED: "Work was accepted",
    ClientFact.DISPUTE_LOST: "A dispute was decided for the payee",
    ClientFact.PAYMENT_FAILED: "A payment was declined",
    ClientFact.CHARGED_BACK: "A payment was charged back",
    ClientFact.CANCELLED: "A funded escrow was cancelled at the client's request",
}


class ClientEventView(ResponseModel):
    """One action of an organization as a client."""

    id: str
    kind: ClientFact
    subject: str = Field(description="The id of the escrow or the payment.")
    at: datetime
    is_void: bool
    sentence: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "ClientEventView":
        kind = ClientFact(row["kind"])
        return cls(
            id=row["id"],
            kind=kind,
            subject=row["subject"],
            at=row["at"],
            is_void=row["void_reason"] is not None,
            sentence=_sentence(kind, row),
        )


def _sentence(kind: ClientFact, row: Mapping[str, Any]) -> str:
    fact = f"{_FACTS[kind]} ({row['subject']})"
    if row["void_reason"] is not None:
        return f"{fact}; it no longer counts: {row['void_reason']}"
    amount_e6, word = max((row["good_e6"], "good"), (row["bad_e6"], "bad"))
    return f"{fact}; it counts {amount_e6 / ONE_E6:.3f} units of {word} evidence, by the value of the work."


class ClientView(ResponseModel):
    """The trust in an organization as a client."""

    organization_id: str
    trust: float = Field(description="From 0 to 10; 5.0 without evidence.")
    low: float = Field(description="Nine times out of ten the trust lies between `low` and `high`.")
    high: float
    is_new: bool = Field(description="Whether there is no evidence.")
    evidence_count: int
    counts: dict[ClientFact, int] | None = Field(
        description="The events that counted, by kind. Null for organizations that have contracts with the client."
    )
    events: list[ClientEventView] | None = Field(
        description=(
            "The latest events in sentences, at most 20, newest first. Null for organizations that have contracts "
            "with it."
        )
    )

    @classmethod
    def of(
        cls, org_id: str, row: ReputationClientRow | None, events: "Sequence[Mapping[str, Any]] | None", rate_e4: int
    ) -> "ClientView":
        """Build the view from a row, or that of a newcomer without one; without events for the other side."""
        counts = {} if row is None else {ClientFact(kind): count for kind, count in row.counts.items()}
        trust = UNKNOWN if row is None else stars(_evidence(row), rate_e4)
        return cls(
            organization_id=org_id,
            trust=points(trust.mean_e6),
            low=points(trust.low_e6),
            high=points(trust.high_e6),
            is_new=not counts,
            evidence_count=sum(counts.values()),
            counts=None if events is None else counts,
            events=None if events is None else [ClientEventView.of(event) for event in events],
        )


def _evidence(row: ReputationClientRow) -> Evidence:
    return Evidence(Beta(row.good_e6, row.bad_e6, row.since), row.held_e6, 0, row.prior_e6, row.through)


@router.get("/reputation/clients/{organization_id}")
async def get_client(organization_id: str, deps: DepsDep, actor: ActorDep) -> ClientView:
    """Read how far an organization is trusted as a client, and why.

    The organization itself and the platform see the events. An organization whose agents are paid under its contracts
    sees the trust and the amount of evidence, and so does an agent's key without `read_billing`.
    """
    if not is_id(organization_id, "org"):
        raise NotFound(organizations.MISSING)
    async with deps.session_for(actor) as session:
        is_own = await organizations.exists(session, organization_id)
        if not is_own and not await contracts.is_paid_by(session, actor.org_id, organization_id):
            raise NotFound(organizations.MISSING)
        permit(actor, Permission.INSPECT if actor.org_id is None else Permission.READ)
        row = await store.row_of(session, organization_id)
        sees_events = is_own and actor.may(Permission.READ_BILLING)
        events = await store.latest(session, organization_id) if sees_events else None
    return ClientView.of(organization_id, row, events, deps.settings.reputation_rate_e4)
