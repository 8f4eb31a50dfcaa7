"""What the end of an escrow says: of the agent that worked, and of the client that paid."""

from dataclasses import dataclass

from domain.escrow.state import WHOLE_E4, Escrow, EscrowStatus
from domain.money import CREDIT, SCALES, allocate
from domain.reputation.facts import FactKind, Says, says
from domain.reputation.weights import Stakes

#: Currencies whose units are worth much the same: a typical contract is 50 of them, and one unit of evidence costs a
#: twentieth of it in commission. That is a scale of weights, and no price. Others give no evidence.
_COMPARED = frozenset({CREDIT, "USD", "EUR", "GBP", "CHF", "CAD", "AUD", "USDC"})
#: What a typical contract is in coins, in ten-thousandths of a coin.
_COINS_E4 = {"BTC": 5, "ETH": 150, "TON": 150_000}
_RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledFact:
    """One fact of an escrow that has ended.

    Attributes:
        is_rated: whether it counts by the client's standing, because the client caused it.
        client_good_e4: what it says of the client, as a share of the weight; as `client_bad_e4`.
        is_end: whether the contract ended by it, and well where `is_success`.
    """

    kind: FactKind
    says: tuple[Says, ...]
    is_rated: bool = False
    client_good_e4: int = 0
    client_bad_e4: int = 0
    is_end: bool = False
    is_success: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the end of an escrow says, and what was at stake, in minor units.

    For a release that is what was paid, and the commission on it; where money went back, the whole and the commission
    that it would have paid.
    """

    facts: tuple[SettledFact, ...]
    value_minor: int
    commission_minor: int


def stakes_of(currency: str) -> Stakes | None:
    """Return the scale of weights in a currency; None where its worth is not known."""
    one = 10 ** SCALES[currency]
    if currency in _COINS_E4:
        typical = one * _COINS_E4[currency] // 10_000
    elif currency in _COMPARED:
        typical = 50 * one
    else:
        return None
    return Stakes(typical_minor=typical, unit_commission_minor=typical // 20)


def settled(escrow: Escrow, event: str) -> Settled | None:
    """Return what an event says that ended an escrow; None for every other one, and where it says nothing.

    An escrow that was cancelled, or whose money went back before anything was delivered or disputed, says nothing.

    Args:
        escrow: the state after the event.
        event: what happened. What a validator or an arbiter decided does not depend on the client's standing.
    """
    facts = _ended(escrow, event) if escrow.is_final and escrow.funded_minor else ()
    if not facts:
        return None
    if escrow.status is EscrowStatus.RELEASED:
        return Settled(facts=facts, value_minor=escrow.paid_minor, commission_minor=escrow.commission_minor)
    bps = escrow.terms.commission_bps
    _, commission = allocate(escrow.funded_minor, [WHOLE_E4 - bps, bps])
    return Settled(facts=facts, value_minor=escrow.funded_minor, commission_minor=commission)


def _ended(escrow: Escrow, event: str) -> tuple[SettledFact, ...]:
    by_client = event not in {"validated", _RESOLVED}
    dispute = escrow.dispute
    found: list[SettledFact] = []
    match escrow.status:
        case EscrowStatus.RELEASED:
            # What is paid for is good of the client; accepting it by its own hand is more.
            client_e4 = WHOLE_E4 + (WHOLE_E4 // 2 if event == "approved" else 0)
            won = event == _RESOLVED and dispute is not None
            found.append(
                SettledFact(
                    kind=FactKind.RELEASED,
                    says=says(FactKind.RELEASED),
                    is_rated=by_client,
                    client_good_e4=0 if won else client_e4,
                    client_bad_e4=WHOLE_E4 if won else 0,
                    is_end=True,
                    is_success=True,
                )
            )
            if escrow.delivery is not None:
                found.append(SettledFact(kind=FactKind.IN_TIME, says=says(FactKind.IN_TIME), is_rated=by_client))
        case EscrowStatus.SPLIT:
            share = escrow.paid_minor * WHOLE_E4 // escrow.funded_minor
            found.append(
                SettledFact(kind=FactKind.SPLIT, says=says(FactKind.SPLIT, share), is_rated=by_client, is_end=True)
            )
        case EscrowStatus.REFUNDED if escrow.delivery is not None or dispute is not None:
            found.append(
                SettledFact(kind=FactKind.REFUNDED, says=says(FactKind.REFUNDED), is_rated=by_client, is_end=True)
            )
        case EscrowStatus.EXPIRED:
            found.append(SettledFact(kind=FactKind.UNDELIVERED, says=says(FactKind.UNDELIVERED), is_end=True))
    if found and escrow.validation_score_e4 is not None:
        found.append(SettledFact(kind=FactKind.VALIDATED, says=says(FactKind.VALIDATED, escrow.validation_score_e4)))
    lost = dispute is not None and event == _RESOLVED and (dispute.payee_share_e4 or 0) < WHOLE_E4 // 2
    if found and lost:
        found.append(SettledFact(kind=FactKind.DISPUTE_LOST, says=says(FactKind.DISPUTE_LOST)))
    return tuple(found)
