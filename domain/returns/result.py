"""Results: how well the work of a run or a task turned out, by somebody other than the agent that did it."""

from dataclasses import dataclass
from enum import StrEnum

from domain.common.access import Actor, Role
from domain.common.ids import bounded
from domain.escrow.state import Escrow, EscrowStatus

#: A score is millionths: 1,000,000 is 1.
WHOLE_E6 = 1_000_000
#: A reported result is accepted from this score on. A contract accepts by its own threshold or signatures.
ACCEPTED_FROM_E6 = 500_000


class ResultSource(StrEnum):
    """Where a result comes from: a report, a validator's score, or how a contract ended."""

    API = "api"
    ESCROW = "escrow"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result.

    Attributes:
        org_id: the organization whose work it was.
        run_id: the `run_id` of its usage events, in the sender's words.
        task_id: the task; usage events name it as their `run_id` where the work has no run of its own.
        agent_id: the agent that did the work, where that is known.
        task_kind: the kind of task by which results are compared.
        score_e6: from 0 to 1,000,000.
        is_self_reported: an agent's own key reported it, so it counts nowhere.
        value_minor: what the result is worth, in minor units of `currency`; both are None where nobody has said.
        reference: unique within the organization and source.
        reported_by: the principal, with its organization.
    """

    org_id: str
    task_kind: str
    score_e6: int
    is_accepted: bool
    source: ResultSource
    reference: str
    reported_by: str
    run_id: str | None = None
    task_id: str | None = None
    agent_id: str | None = None
    is_self_reported: bool = False
    value_minor: int | None = None
    currency: str | None = None


def is_self_report(actor: Actor) -> bool:
    """Return whether an actor reports on agents' work as an agent.

    Every key of an agent is one, whichever agent's run it names: the names of runs are the senders' own words, so
    nothing shows that an agent had no part in a run.
    """
    return actor.role is Role.AGENT


def result_of_escrow(before: Escrow, escrow: Escrow, event: str, score_e4: int | None, actor: str) -> Result | None:
    """Return the result that an event of an escrow gives its agent's organization; None for most events.

    It is a validator's score, accepted if it has released the delivery; else what a milestone or the end has paid, as
    a share of what there was to pay. Its value is all that was paid up to then, because a run counts by its last one.
    An escrow that ended before anything was delivered or disputed has none, unless the time to deliver has passed. The
    kind of the task is for the caller to fill.
    """
    paid = escrow.paid_minor - before.paid_minor
    if event == "validated" and score_e4 is not None:
        source, score_e6, is_accepted = ResultSource.ESCROW, score_e4 * 100, paid > 0
    elif escrow.is_final and escrow.funded_minor:
        if event != "delivery_expired" and before.delivery is None and before.dispute is None:
            return None
        if escrow.status is EscrowStatus.CANCELLED:
            return None
        source, score_e6 = ResultSource.CONTRACT, escrow.paid_minor * WHOLE_E6 // escrow.funded_minor
        is_accepted = score_e6 >= ACCEPTED_FROM_E6
    elif paid:
        source, score_e6, is_accepted = ResultSource.CONTRACT, WHOLE_E6, True
    else:
        return None
    terms = escrow.terms
    return Result(
        org_id=terms.payee_org_id,
        task_id=terms.escrow_id,
        agent_id=terms.agent_id,
        task_kind="",
        score_e6=score_e6,
        is_accepted=is_accepted,
        source=source,
        reference=bounded(f"{terms.escrow_id}:{escrow.version}"),
        reported_by=actor,
        value_minor=escrow.paid_minor,
        currency=terms.currency,
    )
