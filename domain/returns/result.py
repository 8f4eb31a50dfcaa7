"""Results: ratings of the work of a run or a task, by somebody other than its agent."""

from dataclasses import dataclass
from enum import StrEnum

from domain.common.access import Actor, Role
from domain.common.ids import bounded
from domain.escrow.state import Escrow, EscrowStatus

#: Scores are in millionths: 1,000,000 is 1.
WHOLE_E6 = 1_000_000
#: The minimum score of an accepted result. A contract has its own threshold or signatures.
ACCEPTED_FROM_E6 = 500_000


class ResultSource(StrEnum):
    """Source of a result: a report, a validator's score, or the end of a contract."""

    API = "api"
    ESCROW = "escrow"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result.

    Attributes:
        org_id: the organization that the work was for.
        run_id: the `run_id` of its usage events, chosen by their sender.
        task_id: the task; work without a run has usage events with the task as `run_id`.
        agent_id: the agent that did the work, if it is known.
        task_kind: the kind of task; results are compared within it.
        score_e6: from 0 to 1,000,000.
        is_self_reported: whether an agent's own key reported it, so that it does not count.
        value_minor: the value of the result, in minor units of `currency`; both are None if it is not known.
        reference: unique within the organization and source.
        reported_by: the qualified principal.
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
    """Return whether a report by the actor counts as self-reported.

    Every agent's key does, whichever run it names: run names are chosen by senders, so nothing proves that an agent had
    no part in a run.
    """
    return actor.role is Role.AGENT


def result_of_escrow(before: Escrow, escrow: Escrow, event: str, score_e4: int | None, actor: str) -> Result | None:
    """Return the result of an escrow event for the agent's organization; None for most events.

    The score is a validator's, accepted if it released the delivery; else the paid share of a milestone or of the
    whole. The value is the total paid so far, because the last result of a run counts. An escrow that ended without a
    delivery or dispute has no result, unless the time to deliver had passed. The caller fills in the kind of task.
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
