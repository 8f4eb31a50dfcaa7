"""Invariants after a run of payments in the books, at the providers and between both, each read on its own."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import httpx2
import stripe
from pydantic import TypeAdapter
from temporalio.client import Client

from api.v1.payments.commands import PaymentDeclined
from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from domain.payments.payment.fulfilment import is_awaited
from domain.payments.payment.state import Payment, PaymentStatus
from providers.payments.stripe.fields import metadata_of
from tests.faults.audit import Findings, books, prove, repeat_all
from tests.faults.clients import Answered, Journal, RetryingClient, id_of
from tests.faults.payers import Json, Payers
from tests.faults.payment_clients import Paid
from tests.faults.payment_plans import CREDITS_A_CENT

RUNS_END_WITHIN_SECONDS = 240.0
_STATE: TypeAdapter[Payment] = TypeAdapter(Payment)


@dataclass(frozen=True)
class PaymentRecord:
    """A payment as our read model has it; `status` and amounts are those of the API."""

    id: str
    provider: str
    provider_ref: str | None
    org_id: str
    status: str
    currency: str
    amount_minor: int
    received_minor: int
    refunded_minor: int
    fee_minor: int


@dataclass(frozen=True)
class There:
    """A payment as its provider has it, in the same terms: worked out from the provider's objects alone."""

    status: str
    received_minor: int
    refunded_minor: int
    fee_minor: int
    charges: int
    disputes: tuple[str, ...]


@dataclass
class Held:
    """Both sides at one moment."""

    stack: Stack
    rows: dict[str, PaymentRecord]
    disputes: dict[str, tuple[str, ...]]
    balances: dict[tuple[str, str], int]
    movements: Counter[str]
    inbox: Counter[str]
    there: dict[str, There] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    stripe_lines: int = 0
    stripe_balance: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def read(cls, stack: Stack, hands: Payers) -> "Held":
        async with books(stack) as connection:
            names = ", ".join(PaymentRecord.__dataclass_fields__)
            rows = {row["id"]: PaymentRecord(**row) for row in await connection.fetch(f"SELECT {names} FROM payments")}
            disputes = await connection.fetch(
                "SELECT payment_id, array_agg(status ORDER BY id) AS found FROM payment_disputes GROUP BY 1"
            )
            # Without what a schedule recognises every five minutes, whether somebody asks for something or not; an
            # account which it opens holds nothing then, and is as good as none.
            balances = await connection.fetch(
                "SELECT a.path, a.asset, (sum(b.posted) - coalesce((SELECT sum(e.amount) FROM ledger.entries e"
                " JOIN ledger.transfers t ON t.id = e.transfer_id"
                " WHERE e.account_id = a.id AND t.kind = 'revenue.recognised'), 0))::bigint AS posted"
                " FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id GROUP BY a.id, 1, 2"
            )
            movements = await connection.fetch("SELECT provider, count(*) AS n FROM payment_movements GROUP BY 1")
            inbox = await connection.fetch(
                "SELECT CASE WHEN handled_at IS NULL THEN 'unhandled '||status ELSE status END AS what, count(*) AS n"
                " FROM provider_events GROUP BY 1"
            )
        held = cls(
            stack,
            rows,
            {row["payment_id"]: tuple(row["found"]) for row in disputes},
            {(row["path"], row["asset"]): row["posted"] for row in balances if row["posted"]},
            Counter({row["provider"]: row["n"] for row in movements}),
            Counter({row["what"]: row["n"] for row in inbox}),
        )
        await _read_stripe(held, hands)
        await _read_paypal(held, hands)
        return held

    def total(self, prefix: str, asset: str) -> int:
        """Add up what accounts below a path hold."""
        return sum(posted for (path, of), posted in self.balances.items() if path.startswith(prefix) and of == asset)

    def differences(self, other: "Held") -> list[str]:
        """Say what is not the same any more."""
        pairs = (("payments", self.rows, other.rows), ("balances", self.balances, other.balances))
        return [
            f"{what} {key}: was {before.get(key)}, is {after.get(key)}"
            for what, before, after in (*pairs, ("providers", self.there, other.there))
            for key in {*before, *after}
            if before.get(key) != after.get(key)
        ]


async def unsettled(stack: Stack) -> Counter[str]:
    """Count what is still on its way here: events that are not handled, payments that wait for something."""
    async with books(stack) as connection:
        events = await connection.fetch("SELECT status FROM provider_events WHERE handled_at IS NULL")
        states = await connection.fetch("SELECT state::text FROM payments")
    waiting = [state for state in (_STATE.validate_json(row["state"]) for row in states) if is_awaited(state)]
    return Counter([f"event {row['status']}" for row in events] + [f"payment {each.status}" for each in waiting])


async def booked_movements(stack: Stack) -> int:
    """Count what is booked of the providers' movements."""
    async with books(stack) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM payment_movements"))


# Stripe ---------------------------------------------------------------------------------------------------------------


async def _read_stripe(held: Held, hands: Payers) -> None:
    api, page = hands.stripe, 100
    intents = [each async for each in (await api.payment_intents.list_async({"limit": page})).auto_paging_iter()]
    charges = [each async for each in (await api.charges.list_async({"limit": page})).auto_paging_iter()]
    refunds = [each async for each in (await api.refunds.list_async({"limit": page})).auto_paging_iter()]
    disputes = [each async for each in (await api.disputes.list_async({"limit": page})).auto_paging_iter()]
    sessions = [each async for each in (await api.checkout.sessions.list_async({"limit": page})).auto_paging_iter()]
    lines = [each async for each in (await api.balance_transactions.list_async({"limit": page})).auto_paging_iter()]
    balance = await api.balance.retrieve_async()
    held.stripe_lines = len(lines)
    parts = [(each.currency, each.amount) for each in balance.available]
    for currency, amount in [*parts, *((each.currency, each.amount) for each in balance.pending)]:
        held.stripe_balance[currency.upper()] = held.stripe_balance.get(currency.upper(), 0) + amount
    ours = {row.provider_ref: row.id for row in held.rows.values() if row.provider == "stripe"}
    of_intent: dict[str, list[stripe.Charge]] = defaultdict(list)
    for charge in charges:
        of_intent[str(charge.payment_intent)].append(charge)
    by_charge = _Books(refunds, disputes, lines)
    seen: dict[str, str] = {}
    for session in sessions:
        payment_id = ours.get(session.id)
        if payment_id is None:
            held.foreign.append(f"{session.id} is no payment's page: {session.metadata}")
        elif session.payment_intent is None:
            # A page that somebody cancelled expires there, and no run lasts until one expires by itself.
            status = "cancelled" if session.status == "expired" else "open"
            held.there[payment_id] = There(status, 0, 0, 0, 0, ())
        else:
            seen[str(session.payment_intent)] = payment_id
    for intent in intents:
        payment_id = seen.get(intent.id) or ours.get(intent.id)
        if payment_id is None or metadata_of(intent, "payment_id") != payment_id:
            taken = [charge.id for charge in of_intent[intent.id] if charge.captured]
            held.foreign.append(f"{intent.id} is no payment's: {intent.metadata} {intent.status} {taken}")
        else:
            held.there[payment_id] = by_charge.state_of(intent, of_intent[intent.id])


class _Books:
    """The outcome of Stripe's charges."""

    def __init__(
        self,
        refunds: Sequence[stripe.Refund],
        disputes: Sequence[stripe.Dispute],
        lines: Sequence[stripe.BalanceTransaction],
    ) -> None:
        self.refunds, self.disputes = defaultdict(list), defaultdict(list)
        for refund in refunds:
            self.refunds[str(refund.charge)].append(refund)
        for dispute in disputes:
            self.disputes[str(dispute.charge)].append(dispute)
        self.fees: Counter[str] = Counter()
        for line in lines:
            self.fees[str(line.source)] += line.fee

    def state_of(self, intent: stripe.PaymentIntent, charges: Sequence[stripe.Charge]) -> There:
        taken = [charge for charge in charges if charge.captured and charge.status == "succeeded"]
        received = sum(charge.amount_captured for charge in taken)
        # What a partial capture leaves is told as a refund as well, and has no line in the balance.
        back = [
            refund
            for charge in taken
            for refund in self.refunds[charge.id]
            if refund.status in ("succeeded", "pending") and refund.balance_transaction
        ]
        disputes = [dispute for charge in taken for dispute in self.disputes[charge.id]]
        refunded = sum(refund.amount for refund in back)
        sources = [charge.id for charge in taken]
        sources += [refund.id for charge in taken for refund in self.refunds[charge.id]]
        sources += [dispute.id for dispute in disputes]
        declined = intent.last_payment_error is not None and metadata_of(intent, "single_attempt")
        unpaid = "failed" if declined else {"canceled": "cancelled"}.get(intent.status, intent.status)
        status = status_of(received, refunded, [dispute.status for dispute in disputes], unpaid)
        fees = sum(self.fees[source] for source in sources)
        return There(status, received, refunded, fees, len(taken), tuple(dispute.status for dispute in disputes))


def status_of(received: int, refunded: int, disputes: Sequence[str], unpaid: str) -> str:
    """Say in our words how a payment stands, from what its provider did."""
    if not received:
        return unpaid
    if "lost" in disputes:
        return "charged_back"
    if any(status != "won" for status in disputes):
        return "disputed"
    if refunded:
        return "refunded" if refunded >= received else "partially_refunded"
    return "succeeded"


# PayPal ---------------------------------------------------------------------------------------------------------------


async def _read_paypal(held: Held, hands: Payers) -> None:
    orders = await hands.orders()
    ours = {row.provider_ref: row.id for row in held.rows.values() if row.provider == "paypal"}
    for order_id, order in orders.items():
        captures = [each for unit in order["purchase_units"] for each in unit.get("payments", {}).get("captures", [])]
        refunds = [each for unit in order["purchase_units"] for each in unit.get("payments", {}).get("refunds", [])]
        if order_id not in ours:
            if captures:
                held.foreign.append(f"{order_id} is no payment's and was captured: {order['purchase_units']}")
            continue
        charged_back = [each for each in refunds if each.get("note_to_payer", "").startswith("Reversal")]
        back = sum(_cents(each["amount"]) for each in refunds if each not in charged_back)
        received = sum(_cents(each["amount"]) for each in captures)
        lost = ["lost"] if any(_is_reversed(each) for each in captures) else []
        fees = [each["seller_receivable_breakdown"]["paypal_fee"] for each in captures]
        fee = sum(map(_cents, fees)) - sum(
            _cents(each["seller_payable_breakdown"].get("paypal_fee", {"value": "0"})) for each in refunds
        )
        refunded = 0 if lost else back
        status = status_of(received, refunded, lost, "cancelled")
        held.there[ours[order_id]] = There(status, received, refunded, fee, len(captures), ())


def _is_reversed(capture: Json) -> bool:
    return bool((capture.get("status_details") or {}).get("reason") == "CHARGEBACK")


def _cents(amount: Json) -> int:
    return int(Decimal(amount["value"]) * 100)


# The count ------------------------------------------------------------------------------------------------------------


async def audit_payments(
    findings: Findings, paid: Sequence[Paid], held: Held, planned: int, granted: Mapping[str, int]
) -> None:
    """Check payments against their plans, both sides against each other, money, goods, inbox, runs and the books."""
    _planned(findings, paid, held, planned)
    _both_sides(findings, held)
    _charges(findings, held)
    _clearing(findings, held)
    _goods(findings, paid, held, granted)
    left = [f"{count} events {what}" for what, count in held.inbox.items() if what.startswith("unhandled")]
    told = ", ".join(f"{count} {what}" for what, count in sorted(held.inbox.items()))
    findings.check(f"{sum(held.inbox.values())} webhooks stored, none unhandled ({told})", left)
    await _runs(findings, held)
    await prove(findings, held.stack)


def _planned(findings: Findings, paid: Sequence[Paid], held: Held, planned: int) -> None:
    wrong = [] if len(paid) == planned else [f"{len(paid)} of {planned} payments were carried out to their end"]
    for one in paid:
        plan, row = one.plan, held.rows.get(one.payment_id)
        expected = (plan.status, one.amount_minor if plan.paid else 0, plan.refunded_minor)
        found = row and (row.status, row.received_minor, row.refunded_minor)
        if found != expected:
            wrong.append(f"{plan.name} {one.payment_id} ({plan.story}): is {found}, planned {expected}")
    known = {one.payment_id for one in paid}
    wrong += [f"{row.id} is no answered request's: {row}" for row in held.rows.values() if row.id not in known]
    if len(known) != len(paid):
        wrong.append(f"{len(paid)} requests have {len(known)} payments")
    findings.check(f"{len(paid)} accepted requests have one payment each, which ended as planned", wrong)


def _both_sides(findings: Findings, held: Held) -> None:
    for provider in ("stripe", "paypal"):
        rows = [row for row in held.rows.values() if row.provider == provider]
        wrong = []
        for row in rows:
            there = held.there.get(row.id)
            mine = (row.status, row.received_minor, row.refunded_minor, row.fee_minor, held.disputes.get(row.id, ()))
            theirs = there and (
                *(there.status, there.received_minor, there.refunded_minor, there.fee_minor, there.disputes),
            )
            never_there = row.provider_ref is None and row.status in {"failed", "cancelled"}
            if mine != theirs and not never_there:
                wrong.append(f"{row.id} {row.provider_ref}: here {mine}, at {provider} {theirs}")
        what = "status, amounts, refunds, disputes and fees"
        findings.check(f"{len(rows)} payments equal their objects at {provider}: {what}", wrong)


def _charges(findings: Findings, held: Held) -> None:
    charges = sum(there.charges for there in held.there.values())
    wrong = [
        f"{row.id} {row.provider_ref} ({row.status}): {there.charges} charges"
        for row in held.rows.values()
        if (there := held.there.get(row.id)) is not None and there.charges != (1 if row.received_minor else 0)
    ]
    findings.check(f"{charges} charges there, one for each payment that was paid, none without", wrong + held.foreign)
    lines, booked = held.stripe_lines, held.movements["stripe"]
    missing = [] if lines == booked else [f"Stripe's balance has {lines} lines, {booked} movements are booked"]
    findings.check(f"{booked} movements booked, as many as lines in Stripe's balance", missing)


def _clearing(findings: Findings, held: Held) -> None:
    path = "provider/stripe/clearing"
    mine = {asset: -posted for (at, asset), posted in held.balances.items() if at == path and posted}
    theirs = {currency: amount for currency, amount in held.stripe_balance.items() if amount}
    wrong = [] if mine == theirs else [f"{path} holds {mine}, Stripe's balance is {theirs}"]
    shown = ", ".join(f"{amount} {currency}" for currency, amount in sorted(mine.items()))
    findings.check(f"clearing = Stripe's balance, in minor units: {shown}", wrong)


def _goods(findings: Findings, paid: Sequence[Paid], held: Held, granted: Mapping[str, int]) -> None:
    """Credits and cash are what was paid less what went back; what is owed counts against what is there."""
    wrong, kept = [], Counter({(org, "CREDIT"): minor for org, minor in granted.items()})
    issued = 0
    for one in paid:
        plan, org = one.plan, one.payer.org
        kept[org, plan.goods] += plan.goods_kept_minor
        if plan.provider == "credits":
            kept[org, "CREDIT"] -= plan.goods_minor
        elif plan.goods == "CREDIT" and plan.paid:
            issued += plan.goods_minor - (plan.refunded_minor + plan.lost_minor) * CREDITS_A_CENT
    for (org, asset), minor in kept.items():
        found = held.total(f"org/{org}/", asset)
        if found != minor:
            accounts = {path: held.balances[path, of] for path, of in held.balances if org in path and of == asset}
            wrong.append(f"{org} has {found} {asset} minor units, planned {minor}: {accounts}")
    wrong += [
        f"{path} holds {posted}" for (path, _), posted in held.balances.items() if "/payments/" in path and posted
    ]
    outside = -held.balances.get(("platform/credit_issuance", "CREDIT"), 0)
    if outside != issued:
        wrong.append(f"{outside} minor units of credits were issued, planned {issued}")
    what = "paid - refunded - charged back"
    findings.check(f"{issued} minor units of credits issued = {what}; wallets and debts add up", wrong)


async def _runs(findings: Findings, held: Held) -> None:
    """Wait until every run has ended: nothing is awaited any more, and they stay open for a few seconds only."""
    client = await Client.connect(held.stack.temporal.address, namespace=NAMESPACE)
    until, kinds = time.monotonic() + RUNS_END_WITHIN_SECONDS, "WorkflowType IN ('payment', 'provider-event')"
    while time.monotonic() < until:
        running = (await client.count_workflows(f"{kinds} AND ExecutionStatus = 'Running'")).count
        if not running:
            break
        await asyncio.sleep(1)
    ended = (await client.count_workflows(f"{kinds} AND ExecutionStatus = 'Completed'")).count
    bad = client.list_workflows(f"{kinds} AND ExecutionStatus != 'Completed'")
    wrong = [f"{run.id}: {run.status}" async for run in bad if (run.status and run.status.name != "CONTINUED_AS_NEW")]
    findings.check(f"{ended} runs of payments and events in Temporal completed", wrong)


async def repeat_payments(findings: Findings, client: RetryingClient, journal: Journal, held: Held) -> None:
    """Repeat every key of payments once more."""

    def judge(first: Answered, again: httpx2.Response) -> str | None:
        row = held.rows.get(str(id_of(again)))
        if first.response.is_success and first.response.json().get("status") == PaymentStatus.UNKNOWN.value:
            # The call to the provider was killed, so nobody knew yet that it would decline.
            is_known = row is not None and id_of(again) == id_of(first.response)
            if is_known and again.status_code == PaymentDeclined.status and again.json()["state"] == row.status:
                return None
        if (again.is_success, id_of(again)) != (first.response.is_success, id_of(first.response)):
            return f"first {first.response.text[:200]}, repeated {again.text[:200]}"
        if row and again.json().get("status", row.status) != row.status:
            return f"repeated and answered {again.json()['status']}, is {row.status}"
        return None

    same, wrong = await repeat_all(client, journal, judge)
    count = len(journal.answered) // 2
    findings.check(f"{count} keys repeated: {same} first answers byte for byte, the rest the same object", wrong)
