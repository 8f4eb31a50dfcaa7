"""Invariants of invoices after a run of payments: each exists once and is paid at most once, by its own payment."""

from collections import Counter
from collections.abc import Sequence

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books
from tests.faults.payment_clients import Paid


async def audit_invoices(findings: Findings, paid: Sequence[Paid], stack: Stack) -> None:
    """Compare invoices and what paid them with the plans, and count how often each was handed its money."""
    async with books(stack) as connection:
        rows = {row["id"]: row for row in await connection.fetch("SELECT id, status, total_minor FROM invoices")}
        parts = await connection.fetch("SELECT invoice_id, payment_id, amount_minor FROM invoice_payments ORDER BY 1")
        handed = await connection.fetch("SELECT payment_id FROM payment_events WHERE kind = 'invoice_paid'")
        failed = await connection.fetch("SELECT payment_id FROM payment_events WHERE kind = 'fulfilment_failed'")
    times, back = Counter(row["payment_id"] for row in handed), Counter(row["payment_id"] for row in failed)
    planned = {one.invoice_id: one for one in paid if one.invoice_id is not None}
    wrong = [f"{invoice_id} was issued by nobody" for invoice_id in rows.keys() - planned.keys()]
    for invoice_id, one in planned.items():
        plan, row = one.plan, rows.get(invoice_id)
        kept = plan.goods_minor - plan.refunded_minor - plan.lost_minor
        status = "paid" if kept == plan.goods_minor else "open"
        found = row and (row["status"], row["total_minor"])
        by = [(part["payment_id"], part["amount_minor"]) for part in parts if part["invoice_id"] == invoice_id]
        told = (times[one.payment_id], back[one.payment_id])
        handed_over = told == (1, 0) and by == [(one.payment_id, kept)]
        # What goes back whole may do so before the invoice takes it.
        gone_before = told == (0, 1) and not by and not kept
        if found != (status, plan.goods_minor) or not (handed_over or gone_before):
            wrong.append(
                f"{plan.name} ({plan.story}) {invoice_id}: {found}, paid by {by}, handed over and gone before {told} "
                f"times; planned {status}, {plan.goods_minor} and {kept} by {one.payment_id}"
            )
    findings.check(f"{len(planned)} invoices, each issued once and paid once, by its own payment", wrong)
