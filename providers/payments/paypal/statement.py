"""PayPal's own statement: Transaction Search, read as movements under the keys that snapshots use.

A line's transaction id is the id of the capture or refund that moved the money. A reversal names the capture in its
reference, and only the order tells which of the capture's reversals it is, so the order is read. Event codes are those
of PayPal's reference of T-codes. A transaction takes up to three hours to be listed.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from providers.payments.paypal.amounts import from_paypal
from providers.payments.paypal.client import Json, PayPalClient, PayPalRefused
from providers.payments.paypal.snapshots import parse_time, payments, reversal_keys

#: The longest window and the largest page that PayPal takes.
MAX_WINDOW = timedelta(days=31)
PAGE_SIZE = 500
#: A window shorter than this is not halved again.
MIN_WINDOW = timedelta(minutes=1)

REFUND = "T1107"
REVERSALS = frozenset({"T1106", "T1201"})  # by PayPal; by the payer's bank
#: Transactions that wait or were denied have not moved anything.
NOT_MOVED = frozenset({"P", "D"})


class Statement:
    """Lists the transactions of the account."""

    def __init__(self, client: PayPalClient, *, page_size: int = PAGE_SIZE) -> None:
        """Take the client, and how many lines it asks for at once."""
        self._client = client
        self._page_size = page_size

    async def movements(self, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List what changed the balance in `[since, until)`, each once."""
        async for line in self.lines(since, until, {"balance_affecting_records_only": "Y"}):
            if line.get("transaction_status") not in NOT_MOVED and (moved := movement(line)).occurred_at < until:
                yield await self._as_in_its_order(moved) if moved.kind is BalanceTransactionKind.REVERSAL else moved

    async def lines(self, since: datetime, until: datetime, filters: Mapping[str, str]) -> AsyncIterator[Json]:
        """List transactions from `since` to `until`, which PayPal includes, each once."""
        seen: set[tuple[object, object]] = set()
        windows = [(since, until)]
        while windows:
            start, end = windows.pop()
            if end - start > MAX_WINDOW:
                windows += [(start + MAX_WINDOW, end), (start, start + MAX_WINDOW)]
                continue
            try:
                async for line in self._pages(start, end, filters):
                    # Windows touch, and PayPal includes both ends; an id also stands for its authorization.
                    identity = line["transaction_id"], line.get("transaction_event_code")
                    if identity not in seen:
                        seen.add(identity)
                        yield line
            except PayPalRefused as refusal:
                if refusal.code != "RESULTSET_TOO_LARGE" or end - start <= MIN_WINDOW:
                    raise
                middle = start + (end - start) / 2
                windows += [(middle, end), (start, middle)]

    async def _as_in_its_order(self, reversal: BalanceTransaction) -> BalanceTransaction:
        """Return a reversal under the key that its order's snapshot has it under, if the order is ours and has it."""
        try:
            capture = await self._client.get(f"/v2/payments/captures/{reversal.ref}")
            order_id = capture.get("supplementary_data", {}).get("related_ids", {}).get("order_id")
            order = await self._client.get(f"/v2/checkout/orders/{order_id}") if order_id else {}
        except PayPalRefused:
            return reversal
        for unit in order.get("purchase_units", ()):
            for refund in payments(unit, "refunds"):
                if refund["id"] == reversal.statement_ref:
                    return replace(reversal, key=reversal_keys(unit).get(refund["id"], refund["id"]))
        return reversal

    async def _pages(self, start: datetime, end: datetime, filters: Mapping[str, str]) -> AsyncIterator[Json]:
        page, pages = 1, 1
        while page <= pages:
            answer = await self._client.get(
                "/v1/reporting/transactions",
                {
                    "start_date": _moment(start),
                    "end_date": _moment(end),
                    "fields": "all",
                    "page_size": str(self._page_size),
                    "page": str(page),
                    **filters,
                },
            )
            for detail in answer.get("transaction_details", ()):
                yield detail["transaction_info"]
            page, pages = page + 1, int(answer.get("total_pages", 1))


def movement(line: Mapping[str, Any]) -> BalanceTransaction:
    """Read a line of the statement under the key of the object that moved the money; a reversal as the first one."""
    amount = from_paypal(line["transaction_amount"])
    fee = line.get("fee_amount")
    kind = _kind(str(line.get("transaction_event_code")), amount)
    key = line["transaction_id"]
    if kind is BalanceTransactionKind.REVERSAL:
        key = f"{line.get('paypal_reference_id')}:reversal"
    return BalanceTransaction(
        key=key,
        kind=kind,
        amount_minor=amount,
        fee_minor=0 if fee is None else -from_paypal(fee),  # PayPal writes a fee that it kept as negative
        currency=line["transaction_amount"]["currency_code"],
        occurred_at=parse_time(line["transaction_initiation_date"]),
        # Of a charge this is the order, of a refund the capture: the only thing that leads to a payment.
        ref=line.get("paypal_reference_id") or line["transaction_id"],
        payment_id=line.get("custom_field") if kind is BalanceTransactionKind.CHARGE else None,
        statement_ref=line["transaction_id"],
    )


def _kind(code: str, amount_minor: int) -> BalanceTransactionKind:
    """Tell a kind by event code and direction: the same code is used for both parties of a transaction."""
    if code.startswith("T00") and amount_minor > 0:
        return BalanceTransactionKind.CHARGE
    if code == REFUND and amount_minor < 0:
        return BalanceTransactionKind.REFUND
    if code in REVERSALS and amount_minor < 0:
        return BalanceTransactionKind.REVERSAL
    return BalanceTransactionKind.OTHER


def _moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
