"""An escrow that has refused a payment's money never accepts it later."""

from domain.escrow.state import ALLOWED, TRANSITIONS, EscrowStatus


def test_escrow_that_refuses_money_never_accepts_it_later():
    """A run may refuse by a state that the books have left behind, and the payment gives the money back for good."""
    taking = ALLOWED["fund"]
    refusing = set(EscrowStatus) - taking
    assert taking
    assert not [(state, after) for state in refusing for after in TRANSITIONS[state] & taking]
