"""What the end of an escrow says: paid commission bounds what is good, and unpaid commission what is bad."""

from dataclasses import replace

import pytest

from domain.escrow.state import Delivery, Dispute, Escrow, EscrowStatus
from domain.reputation.settled import settled, stakes_of
from tests.support.escrows import T0, terms

FUNDED = 50_000_000
S = EscrowStatus
DELIVERY = Delivery(artifacts=(), note=None, milestone=None, delivered_at=T0)
DISPUTE = Dispute(opened_by="x", reason="x", opened_at=T0, evidence_until=T0, decide_by=T0, default_at=T0)
ESCROW = Escrow(
    terms=terms(), status=S.FUNDED, version=5, opened_at=T0, updated_at=T0, funded_minor=FUNDED, delivery=DELIVERY
)


def ended(status: EscrowStatus, paid: int, **changes: object) -> Escrow:
    commission = paid // 20
    amounts = {"released_minor": paid - commission, "commission_minor": commission, "refunded_minor": FUNDED - paid}
    return replace(ESCROW, status=status, **amounts, **changes)


def decided(share_e4: int) -> Dispute:
    return replace(DISPUTE, payee_share_e4=share_e4, resolved_by="arbiter")


@pytest.mark.parametrize(
    ("escrow", "event", "kinds"),
    [
        (ended(S.RELEASED, FUNDED), "approved", ["released", "in_time"]),
        (ended(S.RELEASED, FUNDED, validation_score_e4=9_000), "validated", ["released", "in_time", "validated"]),
        (ended(S.REFUNDED, 0), "refunded", ["refunded"]),
        (ended(S.REFUNDED, 0, delivery=None), "refunded", None),
        (ended(S.REFUNDED, 0, dispute=decided(0)), "resolved", ["refunded", "dispute_lost"]),
        (ended(S.SPLIT, FUNDED // 2, dispute=decided(5_000)), "resolved", ["split"]),
        (ended(S.EXPIRED, 0, delivery=None), "delivery_expired", ["undelivered"]),
        (ended(S.CANCELLED, 0), "cancelled", None),
        (ESCROW, "validated", None),
        (replace(ESCROW, status=S.CANCELLED, funded_minor=0), "funding_expired", None),
    ],
)
def test_ends_say_what_happened(escrow: Escrow, event: str, kinds: list[str] | None) -> None:
    found = settled(escrow, event)
    assert (found and [fact.kind.value for fact in found.facts]) == kinds


def test_good_evidence_is_bounded_by_what_was_paid_and_bad_by_what_would_have_been() -> None:
    # All but a hundredth went back before the release: it is worth a hundredth.
    small = settled(ended(S.RELEASED, FUNDED // 100), "approved")
    assert small is not None
    assert (small.value_minor, small.commission_minor) == (FUNDED // 100, FUNDED // 2_000)
    back = settled(ended(S.REFUNDED, 0), "refunded")
    assert back is not None
    assert (back.value_minor, back.commission_minor) == (FUNDED, FUNDED // 20)


def test_what_a_client_decides_counts_by_its_standing() -> None:
    for event, is_rated in (("approved", True), ("review_expired", True), ("validated", False), ("resolved", False)):
        found = settled(ended(S.RELEASED, FUNDED), event)
        assert found is not None
        assert {fact.is_rated for fact in found.facts} == {is_rated}
    lost = settled(ended(S.RELEASED, FUNDED, dispute=decided(10_000)), "resolved")
    assert lost is not None
    assert (lost.facts[0].client_good_e4, lost.facts[0].client_bad_e4) == (0, 10_000)


def test_currencies_of_unknown_worth_have_no_scale() -> None:
    credit, coin = stakes_of("CREDIT"), stakes_of("BTC")
    assert credit is not None
    assert (credit.typical_minor, credit.unit_commission_minor) == (50_000_000, 2_500_000)
    assert coin is not None
    assert coin.typical_minor == 50_000
    assert stakes_of("IRR") is None
