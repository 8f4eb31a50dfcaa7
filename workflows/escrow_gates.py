"""Gates of rules that runs of before decided an escrow without. A validator never runs again, so it needs no gate."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.escrow.signing import may_mean_another
    from domain.escrow.state import Escrow

#: The gate of runs that took a signature or a score without a number for whatever was under review.
SIGNATURES_NAME_THEIR_DELIVERY = "signatures-name-their-delivery"


def reviewed(escrow: Escrow, delivery: int | None) -> int | None:
    """Return which delivery a signature or a score is for: the one that it names, or None if it must name one."""
    if not may_mean_another(escrow, delivery):
        return delivery
    if workflow.unsafe.is_read_only() or workflow.patched(SIGNATURES_NAME_THEIR_DELIVERY):
        return None
    assert escrow.delivery is not None
    return escrow.delivery.number
