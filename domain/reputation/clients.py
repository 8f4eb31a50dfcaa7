"""How far an organization is trusted as a client: a score of its own, from what it paid, disputed and cancelled."""

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


#: Good and bad, as ten-thousandths of the fact's weight. A dispute that is won or split says nothing.
SAYS_E4: Mapping[ClientFact, tuple[int, int]] = {
    ClientFact.PAID: (_WHOLE_E4, 0),
    ClientFact.PAYMENT_FAILED: (0, 2_500),
    ClientFact.CHARGED_BACK: (0, _WHOLE_E4),
    ClientFact.ACCEPTED: (5_000, 0),
    ClientFact.DISPUTE_LOST: (0, _WHOLE_E4),
    ClientFact.CANCELLED: (0, 2_500),
}


def client_increment(fact: ClientFact, weight_e6: int) -> tuple[int, int]:
    """Return the good and the bad evidence of a fact, in millionths of a unit, to add to the organization's row."""
    good_e4, bad_e4 = SAYS_E4[fact]
    return weight_e6 * good_e4 // _WHOLE_E4, weight_e6 * bad_e4 // _WHOLE_E4


def standing_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return with what share a client's word counts: its trust less one standard deviation.

    About a fifth for a newcomer, so that many new names together say little. Like a rank, it does not rise in silence.
    """
    return lower_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, HALF_E6, RANK_E2)
