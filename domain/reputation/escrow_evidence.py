"""Evidence of an escrow's events, about the agent and about the client."""

from dataclasses import dataclass, replace
from datetime import timedelta

from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, SCALES, allocate
from domain.escrow.state import WHOLE_E4, Escrow, EscrowStatus, Terms
from domain.reputation.evidence import Dimension
from domain.reputation.facts import DimensionShare, FactKind, shares_of
from domain.reputation.weights import Stakes

#: Currencies with units of similar value: a typical contract is 50 units, and one unit of evidence costs a twentieth of
#: it in commission. That is a scale of weights, not a price. Other currencies give no evidence.
_COMPARED = frozenset({CREDIT, "USD", "EUR", "GBP", "CHF", "CAD", "AUD", "USDC"})
#: Value of a typical contract in coins, in ten-thousandths of a coin.
_COINS_E4 = {"BTC": 5, "ETH": 150, "TON": 150_000}
_VALIDATED, _RESOLVED, _PARTLY_REFUNDED = "validated", "resolved", "partially_refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowFact:
    """Fact of an escrow.

    Attributes:
        is_rated: whether it is weighed by the trust in the client, who caused it.
        client_good_e4, client_bad_e4: evidence about the client, as shares of the weight.
        is_end: whether it ended the contract; `is_success` is whether successfully.
    """

    kind: FactKind
    says: tuple[DimensionShare, ...]
    is_rated: bool = False
    client_good_e4: int = 0
    client_bad_e4: int = 0
    is_end: bool = False
    is_success: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEvidence:
    """Evidence of an escrow's event, and the value at stake, in minor units.

    For a release, the value is the amount paid, and the commission the one on it; for refunds and events without a
    transfer, the value in question and the commission that it would have paid. `bad_commission_minor` is the commission
    before a discount, which bounds bad evidence: a discount does not make an agent less accountable. `value_minor` is a
    part of `whole_minor`: all parts of a contract together never weigh more than the whole.
    """

    facts: tuple[EscrowFact, ...]
    value_minor: int
    commission_minor: int
    bad_commission_minor: int
    whole_minor: int

    def stakes(self, currency: str, credit: CreditPrice | None = None) -> Stakes | None:
        """Return the scale that gives a part of a contract its share of the whole's weight, see `stakes_of`.

        With a typical value `t` the whole `w` weighs `2w / (w + t)`, and a part `v` of it `2v / (v + t + w - v)`.
        """
        scale = stakes_of(currency, credit)
        return scale and replace(scale, typical_minor=scale.typical_minor + self.whole_minor - self.value_minor)


def stakes_of(currency: str, credit: CreditPrice | None = None) -> Stakes | None:
    """Return the scale of weights in a currency; None if its value is unknown.

    Args:
        currency: of the payment for the work.
        credit: the price of a credit, whatever its package. Without a price, or in a currency of unknown value, a
            credit counts as a dollar.
    """
    sold_in = stakes_of(credit.currency) if currency == CREDIT and credit is not None else None
    if credit is not None and sold_in is not None:
        credits_minor, money_minor = credit.rate()
        typical = max(1, sold_in.typical_minor * credits_minor // money_minor)
        return Stakes(typical_minor=typical, unit_commission_minor=max(1, typical // 20))
    one = 10 ** SCALES[currency]
    if currency in _COINS_E4:
        typical = one * _COINS_E4[currency] // 10_000
    elif currency in _COMPARED:
        typical = 50 * one
    else:
        return None
    return Stakes(typical_minor=typical, unit_commission_minor=typical // 20)


def evidence_of_event(
    before: Escrow, escrow: Escrow, event: str, score_e4: int | None = None, *, actor: str = ""
) -> EventEvidence | None:
    """Return the evidence of an event; None for most events.

    An accepted milestone counts for its part, and so does a partial refund of a delivery. Faults found by a validator
    count at once, and the end counts for the rest. An escrow that was cancelled or refunded before any delivery or
    dispute gives no evidence, unless the payee gave up in the second half of the delivery time: that is a missed
    delivery, or unreliability if the client requested it.

    Args:
        before: the state before the event.
        escrow: the state after it.
        event: the event. Decisions of validators and arbiters do not depend on the client's trust.
        score_e4: a validator's score in this event.
        actor: the actor of the event, with the organization.
    """
    if event == "delivery_expired" or _gave_up_late(before, escrow, event, actor):
        back = before.held_minor - (0 if escrow.is_final else escrow.held_minor)
        asked = event != "delivery_expired" and before.cancel_requested_by is not None
        return _not_paid(_stalled() if asked else _undelivered(is_end=escrow.is_final), escrow, back)
    paid = escrow.paid_minor - before.paid_minor
    if escrow.is_final and escrow.funded_minor:
        facts = _ended(before, escrow, event, paid, score_e4)
        if escrow.status is not EscrowStatus.RELEASED:
            return _unpaid(facts, escrow, before.held_minor)
    elif paid:
        facts = _accepted(before, escrow, event, score_e4)
    elif event == _PARTLY_REFUNDED and before.status is not EscrowStatus.FUNDED:
        back = escrow.refunded_minor - before.refunded_minor
        return _unpaid((_given_back(is_rated=True),), escrow, back)
    elif event == _VALIDATED and score_e4 is not None:
        return _unpaid(_scored(score_e4, good=False), escrow, escrow.under_review_minor)
    else:
        return None
    commission = escrow.commission_minor - before.commission_minor
    return _paid(facts, escrow, paid, commission)


def value_at_stake(escrow: Escrow) -> EventEvidence | None:
    """Return the value at stake in a whole contract, for feedback; None if nothing was settled.

    It is the funded amount, even if most of it was refunded: otherwise bad feedback on refunded work would weigh
    nothing. Ratings that are not bad are scaled to the paid part (`facts.scale_to_paid`).
    """
    match escrow.status:
        case EscrowStatus.RELEASED if not escrow.refunded_minor:
            return _paid((), escrow, escrow.paid_minor, escrow.commission_minor)
        case EscrowStatus.REFUNDED if escrow.delivery is None and escrow.dispute is None:
            return None
        case EscrowStatus.RELEASED | EscrowStatus.SPLIT | EscrowStatus.REFUNDED | EscrowStatus.EXPIRED:
            return _not_paid((), escrow, escrow.funded_minor)
    return None


def _unpaid(facts: tuple[EscrowFact, ...], escrow: Escrow, value_minor: int) -> EventEvidence | None:
    return _not_paid(facts, escrow, value_minor) if facts else None


def _paid(facts: tuple[EscrowFact, ...], escrow: Escrow, value_minor: int, commission_minor: int) -> EventEvidence:
    full_bps = escrow.terms.undiscounted_commission_bps
    full = commission_minor if full_bps is None else max(commission_minor, _due(full_bps, value_minor))
    return EventEvidence(
        facts=facts,
        value_minor=value_minor,
        commission_minor=commission_minor,
        bad_commission_minor=full,
        whole_minor=escrow.funded_minor,
    )


def _not_paid(facts: tuple[EscrowFact, ...], escrow: Escrow, value_minor: int) -> EventEvidence:
    return EventEvidence(
        facts=facts,
        value_minor=value_minor,
        commission_minor=_due(escrow.terms.commission_bps, value_minor),
        bad_commission_minor=undiscounted_minor(escrow.terms, value_minor),
        whole_minor=escrow.funded_minor,
    )


def undiscounted_minor(terms: Terms, value_minor: int) -> int:
    """Return the commission on an amount before a discount, the bound of bad evidence."""
    bps = terms.undiscounted_commission_bps
    return _due(terms.commission_bps if bps is None else bps, value_minor)


def _due(bps: int, value_minor: int) -> int:
    return allocate(value_minor, [WHOLE_E4 - bps, bps])[1]


def _ended(before: Escrow, escrow: Escrow, event: str, paid_minor: int, score_e4: int | None) -> tuple[EscrowFact, ...]:
    by_client = event not in {_VALIDATED, _RESOLVED}
    dispute = escrow.dispute
    if escrow.status is EscrowStatus.RELEASED:
        return _accepted(before, escrow, event, score_e4)
    if escrow.status is EscrowStatus.CANCELLED:
        return ()
    found: list[EscrowFact] = []
    if paid_minor:
        share = paid_minor * WHOLE_E4 // before.held_minor
        split = shares_of(FactKind.SPLIT, share)
        found.append(EscrowFact(kind=FactKind.SPLIT, says=split, is_rated=by_client, is_end=True))
        found += _scored(before.validation_score_e4, bad=False, share_e4=share)
    elif before.status is not EscrowStatus.FUNDED:
        found.append(_given_back(is_rated=by_client, is_end=True))
    lost = dispute is not None and event == _RESOLVED and (dispute.payee_share_e4 or 0) < WHOLE_E4 // 2
    if found and lost:
        found.append(EscrowFact(kind=FactKind.DISPUTE_LOST, says=shares_of(FactKind.DISPUTE_LOST)))
    return tuple(found)


def _gave_up_late(before: Escrow, escrow: Escrow, event: str, actor: str) -> bool:
    """Return whether the payee refunded, in whole or in part, without a delivery after half of the delivery time.

    An earlier refund is not a missed delivery. Operators' decisions are not the payee's.
    """
    by_payee = actor.startswith(f"{before.terms.payee_org_id}/")
    return event in {"cancelled", "refunded", _PARTLY_REFUNDED} and by_payee and half_is_over(before, escrow)


def half_is_over(before: Escrow, escrow: Escrow) -> bool:
    """Return whether an event came after half of the delivery time, and before any delivery."""
    if before.status is not EscrowStatus.FUNDED or before.deliver_by is None:
        return False
    return escrow.updated_at > before.deliver_by - timedelta(seconds=before.terms.deliver_seconds) / 2


def _undelivered(*, is_end: bool) -> tuple[EscrowFact, ...]:
    # A client that orders more than can be delivered gets all of it refunded, so this counts by the trust in the client
    # as well.
    kind = FactKind.UNDELIVERED
    return (EscrowFact(kind=kind, says=shares_of(kind), is_rated=True, is_end=is_end),)


def _stalled() -> tuple[EscrowFact, ...]:
    # The client has asked to cancel, so the work has not failed, but the payee needed half of the time to agree. The
    # payee could deliver instead, so a client cannot cause this evidence.
    said = (DimensionShare(Dimension.RELIABILITY, WHOLE_E4, 0),)
    return (EscrowFact(kind=FactKind.UNDELIVERED, says=said, is_rated=True),)


def _given_back(*, is_rated: bool, is_end: bool = False) -> EscrowFact:
    kind = FactKind.REFUNDED
    return EscrowFact(kind=kind, says=shares_of(kind), is_rated=is_rated, is_end=is_end)


def _accepted(before: Escrow, escrow: Escrow, event: str, score_e4: int | None) -> tuple[EscrowFact, ...]:
    """Return the evidence of a paid delivery: the last one, or a milestone."""
    by_client = event not in {_VALIDATED, _RESOLVED}
    # Paying for work is good evidence of the client; accepting it itself is better evidence.
    client_e4 = WHOLE_E4 + (WHOLE_E4 // 2 if event == "approved" else 0)
    won = event == _RESOLVED
    found = [
        EscrowFact(
            kind=FactKind.RELEASED,
            says=shares_of(FactKind.RELEASED),
            is_rated=by_client,
            client_good_e4=0 if won else client_e4,
            client_bad_e4=WHOLE_E4 if won else 0,
            is_end=escrow.is_final,
            is_success=escrow.is_final,
        )
    ]
    # An escrow keeps the delivery of its last milestone: who wins a dispute over the next one has not delivered that.
    if escrow.delivery is not None and escrow.delivery.milestone not in before.milestones_released:
        kind = FactKind.LATE if _is_late(before) else FactKind.IN_TIME
        found.append(EscrowFact(kind=kind, says=shares_of(kind), is_rated=by_client))
    # The faults that were found before this event have counted already.
    found += _scored(before.validation_score_e4, bad=False) if score_e4 is None else _scored(score_e4)
    return tuple(found)


def _is_late(escrow: Escrow) -> bool:
    """Return whether the delivery under review certainly came after the due date.

    A first delivery is in time, otherwise the escrow would have ended. A replacement may be late. The state does not
    have the due date; the latest possible one is that of funding at the last moment. For later milestones the result is
    False.
    """
    delivery, terms = escrow.delivery, escrow.terms
    if delivery is None or escrow.milestones_released or delivery.number == 1:
        return False
    return delivery.delivered_at > escrow.opened_at + timedelta(seconds=terms.fund_seconds + terms.deliver_seconds)


def _scored(
    score_e4: int | None, *, good: bool = True, bad: bool = True, share_e4: int = WHOLE_E4
) -> tuple[EscrowFact, ...]:
    """Return the evidence of a validator's score: faults when they are found, good work once it is paid."""
    if score_e4 is None:
        return ()
    counted = (score_e4 * share_e4 // WHOLE_E4 if good else 0) + (WHOLE_E4 - score_e4 if bad else 0)
    if not counted:
        return ()
    if good and bad:
        said = shares_of(FactKind.VALIDATED, score_e4)
    else:
        said = (DimensionShare(Dimension.QUALITY, counted, WHOLE_E4 if good else 0),)
    return (EscrowFact(kind=FactKind.VALIDATED, says=said),)
