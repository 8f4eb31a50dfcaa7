"""The trust in an organization as a client: a score of its own, from its payments, disputes and cancellations."""

from collections.abc import Mapping
from enum import StrEnum

from domain.reputation.evidence import RATE_E4, Evidence
from domain.reputation.score import HALF_E6, RANK_E2, lower_e6

_WHOLE_E4 = 10_000


class ClientFact(StrEnum):
    """What an organization did as a client."""

    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    CHARGED_BACK = "charged_back"
    ACCEPTED = "accepted"
    DISPUTE_LOST = "dispute_lost"
    CANCELLED = "cancelled"


#: Good and bad evidence, as ten-thousandths of the fact's weight. A dispute that is won or split is no evidence.
EVIDENCE_SHARES_E4: Mapping[ClientFact, tuple[int, int]] = {
    ClientFact.PAID: (_WHOLE_E4, 0),
    ClientFact.PAYMENT_FAILED: (0, 2_500),
    ClientFact.CHARGED_BACK: (0, _WHOLE_E4),
    ClientFact.ACCEPTED: (5_000, 0),
    ClientFact.DISPUTE_LOST: (0, _WHOLE_E4),
    ClientFact.CANCELLED: (0, 2_500),
}


def client_increment(fact: ClientFact, weight_e6: int) -> tuple[int, int]:
    """Return the good and the bad evidence of a fact, in millionths of a unit, to add to the organization's row."""
    good_e4, bad_e4 = EVIDENCE_SHARES_E4[fact]
    return weight_e6 * good_e4 // _WHOLE_E4, weight_e6 * bad_e4 // _WHOLE_E4


def feedback_weight_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return the weight of a client's feedback, as a share: its trust less one standard deviation.

    It is about a fifth for a newcomer, so many new organizations together have little weight. Like a rank, it does not
    rise without new evidence.
    """
    return lower_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, HALF_E6, RANK_E2)
