"""What operators' signals do to an escrow. Their fields can hold any JSON, and are validated here."""

from datetime import datetime

from contracts.escrow.escrow import ApproveSignal, CancelSignal, DisputeSignal, OperatorSignal, ResolveSignal
from domain.common.errors import Invalid
from domain.common.money import parse_ratio
from domain.common.signals import Addressee
from domain.common.text import plain_text
from domain.escrow import commands
from domain.escrow.state import Decision, Escrow, Outcome
from workflows.common.signals import check_addressed, sender


def approve(signal: ApproveSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Approve in the name of a signatory."""
    signatory = plain_text(signal.signatory, "signatory", limit=200)
    delivery = signal.delivery
    if delivery is not None and type(delivery) is not int:
        raise Invalid("delivery must be the number of the delivery, a whole number.", extra={"field": "delivery"})
    return commands.approve(escrow, signatory=signatory, actor=sender(signal), now=now, delivery=delivery)


def dispute(signal: DisputeSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Freeze the escrow."""
    reason = plain_text(signal.reason, "reason")
    return commands.dispute(escrow, actor=sender(signal), reason=reason, now=now)


def resolve(signal: ResolveSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Decide the dispute."""
    # A number in JSON is decoded as a float; its shortest form is what the operator typed.
    share_e4 = parse_ratio(str(signal.payee_share), "payee_share")
    note = _optional_text(signal.note, "note")
    return commands.resolve(escrow, actor=sender(signal), payee_share_e4=share_e4, note=note, now=now)


def cancel(signal: CancelSignal, escrow: Escrow, _now: datetime) -> Outcome:
    """End the escrow before delivery."""
    return commands.cancel(escrow, actor=sender(signal), reason=_optional_text(signal.reason, "reason"))


def checked(name: str, signal: OperatorSignal, given: Decision) -> Decision:
    """Return the decision, which first checks that the signal is for this escrow and names its sender."""

    def decide(escrow: Escrow, now: datetime) -> Outcome:
        reached = Addressee(kind="escrow", id=escrow.terms.escrow_id, state=escrow.status.value, asks_for_name=True)
        check_addressed(reached, name, signal, subject=getattr(signal, name))
        return given(escrow, now)

    return decide


def _optional_text(value: object, field: str) -> str | None:
    return None if value is None else plain_text(value, field)
