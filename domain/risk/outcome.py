"""What follows from acts: which event counts as what, for the entities of the act. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.risk.facts import Counter


class Scope(StrEnum):
    """Whose counters an event counts for."""

    PAYMENT = "payment"  # the entities of the decision of its payment; without one, its organization
    OWNER = "owner"  # its organization, and its agent if it names one


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """How an event counts.

    Attributes:
        counter: counts the events.
        value: adds up their amounts, if any.
        scope: see `Scope`.
        once: types of which only the first about a subject counts; without any, every event counts.
    """

    counter: Counter
    value: Counter | None = None
    scope: Scope = Scope.PAYMENT
    once: Sequence[str] = ()


#: Escrows that were released because nobody reviewed the delivery in time.
RELEASES = ("escrow.released", "escrow.milestone_released")
LOST = "chargeback.lost"
_REFUNDED = ("refund.requested", "refund.unknown", "refund.pending", "refund.succeeded")
_DISPUTED = ("chargeback.needs_response", "chargeback.under_review", "chargeback.won", LOST)
_DECLINED = Fold(counter=Counter.DECLINED)
_DISPUTE = Fold(counter=Counter.DISPUTES, once=_DISPUTED)
#: By type of event. Of declines only events with a decline code count, of releases only those without a review, and of
#: refunds only those that no decision has counted.
FOLDS: Mapping[str, Sequence[Fold]] = {
    "payment.succeeded": (Fold(counter=Counter.PAID, value=Counter.PAID_VALUE, once=("payment.succeeded",)),),
    "payment.failed": (_DECLINED,),
    "payment.requires_action": (_DECLINED,),
    **dict.fromkeys(_REFUNDED, (Fold(counter=Counter.REFUNDS, value=Counter.REFUNDED_VALUE, once=_REFUNDED),)),
    **dict.fromkeys(_DISPUTED, (_DISPUTE,)),
    LOST: (_DISPUTE, Fold(counter=Counter.DISPUTES_LOST, once=(LOST,))),
    **dict.fromkeys(RELEASES, (Fold(counter=Counter.SILENT_RELEASES, scope=Scope.OWNER),)),
    "agent.created": (Fold(counter=Counter.AGENTS, scope=Scope.OWNER),),
}
