"""Gates of rules that runs of before decided an escrow without. A validator never runs again, so it needs no gate."""

from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.access import Actor
    from domain.escrow.commands import is_chargeback
    from domain.escrow.signing import may_mean_another
    from domain.escrow.state import Escrow, Outcome

#: The gate of runs that took a signature or a score without a number for whatever was under review: one gate for each
#: delivery, because a run that has taken one before an upgrade must not take one for a later delivery.
SIGNATURES_NAME_THEIR_DELIVERY = "signatures-name-their-delivery"

#: The gate of runs whose disputes all ended by the contract's default when nobody decided.
DEFAULT_IS_FOR_WHAT_WAS_DELIVERED = "default-is-for-what-was-delivered"

#: The gate of runs whose disputes of chargebacks ended by the contract's default, whatever was delivered.
CHARGEBACKS_DEFAULT_IS_FOR_WHAT_WAS_DELIVERED = "chargebacks-default-is-for-what-was-delivered"

#: The gate of runs whose disputes ended by default at the agreed time, although the alert to operators was late.
GRACE_BEGINS_WITH_THE_ALERT = "grace-begins-with-the-alert"

#: The gate of runs that kept the payee's share by default when the payee refunded a part of what it had not delivered.
DEFAULT_STAYS_FOR_WHAT_WAS_DELIVERED = "default-stays-for-what-was-delivered"


def reviewed(escrow: Escrow, delivery: int | None) -> int | None:
    """Return which delivery a signature or a score is for: the one that it names, or None if it must name one."""
    if not may_mean_another(escrow, delivery):
        return delivery
    assert escrow.delivery is not None
    number = escrow.delivery.number
    if workflow.unsafe.is_read_only() or workflow.patched(f"{SIGNATURES_NAME_THEIR_DELIVERY}:{number}"):
        return None
    return number


def disputed(outcome: Outcome, opener: Actor) -> Outcome:
    """Return the opening of a dispute, with the default that applies to it."""
    dispute = outcome.escrow.dispute
    if dispute is None or dispute.default_share_e4 is None:
        return outcome
    by_bank = is_chargeback(opener)
    gate = CHARGEBACKS_DEFAULT_IS_FOR_WHAT_WAS_DELIVERED if by_bank else DEFAULT_IS_FOR_WHAT_WAS_DELIVERED
    if workflow.unsafe.is_read_only() or workflow.patched(gate):
        return outcome
    return replace(outcome, escrow=replace(outcome.escrow, dispute=replace(dispute, default_share_e4=None)))


def refunded(before: Escrow, outcome: Outcome) -> Outcome:
    """Return a refund, with the default that applies to what is still held of a disputed escrow."""
    agreed, after = before.dispute, outcome.escrow.dispute
    if agreed is None or after is None or agreed.default_share_e4 == after.default_share_e4:
        return outcome
    if workflow.unsafe.is_read_only() or workflow.patched(DEFAULT_STAYS_FOR_WHAT_WAS_DELIVERED):
        return outcome
    kept = replace(after, default_share_e4=agreed.default_share_e4)
    return replace(outcome, escrow=replace(outcome.escrow, dispute=kept))


def overdue(before: Escrow, outcome: Outcome) -> Outcome:
    """Return what a deadline does, with the time of the default that applies to a dispute that is overdue."""
    agreed, after = before.dispute, outcome.escrow.dispute
    if outcome.event != "decision_overdue" or agreed is None or after is None or agreed.default_at == after.default_at:
        return outcome
    if workflow.patched(GRACE_BEGINS_WITH_THE_ALERT):
        return outcome
    return replace(outcome, escrow=replace(outcome.escrow, dispute=replace(after, default_at=agreed.default_at)))
