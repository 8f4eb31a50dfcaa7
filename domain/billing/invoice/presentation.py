"""Texts about the collection of an invoice for the Temporal UI."""

from domain.billing.invoice.collection import UNDER_WAY, Collection, CollectionStatus, InvoiceDue
from domain.common.money import format_amount
from domain.common.text import as_markdown

S = CollectionStatus
_DECIDES = {
    "refund": "money was refunded",
    "chargeback": "the payment was charged back",
    "unanswered": "no charge was answered",
}


def summary(held: Collection) -> str:
    """Return one line: what is collected from whom."""
    return f"{held.number} of {held.org_id}, {held.method.value}"


def details(held: Collection, standing: InvoiceDue) -> str:
    """Return its status, what was tried, and what it waits for."""
    due = f"{format_amount(standing.due_minor, held.currency)} {held.currency} due"
    lines = [f"**{held.status.value}** · invoice {held.number} · {held.org_id} · {due}", ""]
    lines.append(f"- {held.method.value}; charges: {held.attempts}; steps of dunning: {held.steps} of {len(held.days)}")
    if held.payment_id is not None:
        under_way = "under way" if held.status in UNDER_WAY else "last"
        lines.append(f"- payment {under_way}: `{held.payment_id}`")
    if held.waits_for is not None:
        lines.append(f"- waits for the organization's own payment: `{held.waits_for}`")
    if held.failure is not None:
        lines.append(f"- last charge: {as_markdown(held.failure)} ({as_markdown(held.failure_code or '')})")
    if held.status is S.REQUIRES_ACTION:
        lines.append("- waits for the payer, who was sent a page to confirm at")
    if held.status is S.PAUSED and held.paused_for is not None:
        lines.append(
            f"- waits for an operator, because {_DECIDES[held.paused_for.value]}: "
            "signal `resume`, `charge`, `give_up` or `void`"
        )
    if held.status is S.SCHEDULED:
        lines.append(f"- next step: {held.next_at:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(lines)
