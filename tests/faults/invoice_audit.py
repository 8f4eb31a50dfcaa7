"""What must hold of invoices after a run of payments: each is there once, and paid once, by its own payment."""

from collections import Counter
from collections.abc import Sequence

import asyncpg

from stack.supervisor import Stack
from tests.faults.audit import Findings
from tests.faults.payment_clients import Paid


async def audit_invoices(findings: Findings, paid: Sequence[Paid], stack: Stack) -> None:
    """Compare invoices and what paid them with the plans, and count how often each was handed its money."""
    connection = await asyncpg.connect(stack.postgres.url(database="bursar"))
    try:
        rows = {row["id"]: row for row in await connection.fetch("SELECT id, status, total_minor FROM invoices")}
        parts = await connection.fetch("SELECT invoice_id, payment_id, amount_minor FROM invoice_payments ORDER BY 1")
        handed = await connection.fetch("SELECT payment_id FROM payment_events WHERE kind = 'invoice_paid'")
    finally:
        await connection.close()
    times = Counter(row["payment_id"] for row in handed)
    planned = {one.invoice_id: one for one in paid if one.invoice_id is not None}
    wrong = [f"{invoice_id} was issued by nobody" for invoice_id in rows.keys() - planned.keys()]
    for invoice_id, one in planned.items():
        plan, row = one.plan, rows.get(invoice_id)
        kept = plan.goods_minor - plan.refunded_minor - plan.lost_minor
        status = "paid" if kept == plan.goods_minor else "open"
        found = row and (row["status"], row["total_minor"])
        by = [(part["payment_id"], part["amount_minor"]) for part in parts if part["invoice_id"] == invoice_id]
        if found != (status, plan.goods_minor) or by != [(one.payment_id, kept)] or times[one.payment_id] != 1:
            wrong.append(
                f"{plan.name} ({plan.story}) {invoice_id}: {found}, paid by {by}, handed over {times[one.payment_id]} "
                f"times; planned {status}, {plan.goods_minor} and {kept} by {one.payment_id}"
            )
    findings.check(f"{len(planned)} invoices, each issued once and paid once, by its own payment", wrong)
