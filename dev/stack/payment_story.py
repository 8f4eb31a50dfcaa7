"""The story of money that comes in: four ways to pay, an escrow, an invoice, a slot, a refund, a chargeback, proof.

The providers are the sandboxes, so the story plays the payers and their banks as well. Meanwhile every webhook is sent
twice and in the wrong order.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from dev.stack.narrator import PATIENCE_SECONDS, PAUSE_SECONDS, Narrator, StoryEnded
from dev.stack.stories import WORK

Json = dict[str, Any]

CUSTOMER = "customer"
_INBOX = (
    "SELECT provider, count(*) AS stored, count(handled_at) AS handled FROM provider_events WHERE received_at >= $1 "
    "GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True)
class Sums:
    """Number of movements, and their sum by both sides."""

    count: int = 0
    listed: Decimal = Decimal(0)
    booked: Decimal = Decimal(0)

    def __add__(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(self.count + other.count, self.listed + other.listed, self.booked + other.booked)

    def __sub__(self, other: "Sums") -> "Sums":
        """Return what is more than in the other."""
        return Sums(self.count - other.count, self.listed - other.listed, self.booked - other.booked)


@dataclass(frozen=True)
class Statement:
    """Result of a reconciliation: sums by currency, unexplained items, and open discrepancies."""

    sums: Mapping[str, Sums]
    unexplained: Mapping[str, Decimal]
    open: frozenset[str]


class PaymentStory:
    """Tells it on a stack whose providers are sandboxes, with a customer of its own."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._running = narrator.running
        self._began_at = datetime.now(UTC)
        self._top_ups: dict[str, str] = {}
        self._customer_id = ""
        self._before: dict[str, Statement] = {}
        self._delivered_before = 0

    async def tell(self, *, first_number: int) -> None:
        """Tell all chapters; raises StoryEnded when one cannot go on."""
        if not self._running.has_sandboxes:
            self._narrator.say("\nA provider is set up with an account of its own, so nobody plays the payers here.")
            return
        flushed = await self._narrator.steer(f"{self._running.stripe_control_url}/webhooks/flush")
        self._delivered_before = flushed["delivered"]
        self._before = {provider: await self._statement(provider) for provider in ("stripe", "paypal", "crypto")}
        await self._bring_in_a_customer()
        await self._shake_webhooks(shaken=True)
        try:
            for number, (title, chapter) in enumerate(self._chapters(), first_number):
                self._narrator.say(f"\n{number}. {title}")
                await chapter()
        finally:
            await self._shake_webhooks(shaken=False)
        await self._prove()

    def _chapters(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        return [
            ("A customer tops up: by card, hosted checkout, PayPal and crypto", self._top_up_four_ways),
            ("A card payment funds an escrow", self._fund_an_escrow),
            ("An invoice is paid once, although two windows are open", self._pay_an_invoice),
            ("A slot is bought, used, and not given back while it is in use", self._buy_a_slot),
            ("The customer asks for a part of the card payment back", self._ask_for_a_refund),
            ("A chargeback is lost after the credits were spent", self._lose_a_chargeback),
        ]

    async def _bring_in_a_customer(self) -> None:
        name = f"Lighthouse {secrets.token_hex(2)}"
        org = await self._narrator.post("operator", "/organizations", {"name": name})
        self._customer_id = org["id"]
        owner = {"organization_id": org["id"], "principal": CUSTOMER, "role": "owner"}
        self._narrator.keys[CUSTOMER] = (await self._narrator.post("operator", "/api-keys", owner))["secret"]
        self._narrator.say(f"\n{name} ({org['id']}) joins. Every webhook is sent twice, in the wrong order.")
        bonus = await self._narrator.use_bonus(CUSTOMER)
        if bonus != "0.00":
            self._narrator.say(f"It uses its signup bonus of {bonus} credits, and begins with nothing.")

    async def _shake_webhooks(self, *, shaken: bool) -> None:
        stripe = {"duplicate": 1, "reorder": 400} if shaken else {}
        await self._narrator.steer(f"{self._running.stripe_control_url}/webhooks", stripe)
        paypal = {"duplicate": 10_000 if shaken else 0, "reorder": shaken}
        await self._narrator.steer(f"{self._running.paypal_api_base}/_control/webhooks", paypal)

    async def _top_up_four_ways(self) -> None:
        await self._by_card()
        await self._by_hosted_checkout()
        await self._by_paypal()
        await self._by_crypto()
        await self._expect_balance("after four top-ups", available="700.00")

    async def _by_card(self) -> None:
        key, body = (
            self._narrator.new_key(),
            {"amount": "250.00", "provider": "stripe", "payment_method": "pm_card_visa"},
        )
        made = await self._narrator.post(CUSTOMER, "/billing/topup", body, key=key)
        self._top_ups["card"] = made["payment_id"]
        await self._paid("by card", made)
        again = await self._narrator.post(CUSTOMER, "/billing/topup", body, key=key)
        self._narrator.expect("the same top-up asked for again", again, made)
        self._narrator.say("     the same request once more: the first answer, and no second charge")

    async def _by_hosted_checkout(self) -> None:
        made = await self._narrator.post(CUSTOMER, "/billing/credits/purchase", {"package": "pack_100"})
        self._top_ups["checkout"] = made["payment_id"]
        self._narrator.say(f"     pay here  {made['url']}")
        session = made["url"].rpartition("/")[2]
        await self._narrator.steer(f"{self._running.stripe_control_url}/checkout", {"session": session})
        await self._paid("by hosted checkout", made)

    async def _by_paypal(self) -> None:
        made = await self._narrator.post(CUSTOMER, "/billing/topup", {"amount": "150.00", "provider": "paypal"})
        self._narrator.say(f"     approve here  {made['approval_url']}")
        order = made["approval_url"].rpartition("=")[2]
        await self._narrator.steer(f"{self._running.paypal_api_base}/_control/orders/{order}/approve")
        await self._paid("by PayPal", made)

    async def _by_crypto(self) -> None:
        body = {"amount": "200.00", "provider": "crypto", "asset": "USDC"}
        made = await self._narrator.post(CUSTOMER, "/billing/topup", body)
        deposit = made["deposit"]
        self._narrator.say(f"     send {deposit['amount']} {deposit['asset']} to {deposit['address']}")
        sent = {name: deposit[name] for name in ("address", "amount", "asset")}
        # Three blocks at once: the demo does not wait for confirmations.
        await self._narrator.steer(f"{self._running.chains_url}/_control/evm/deposit", {**sent, "mine": 3})
        await self._paid("by USDC", made)

    async def _fund_an_escrow(self) -> None:
        escrow = await self._award("Draw the harbour map", "120.00", "USD")
        body = {"purpose": "escrow", "escrow_id": escrow["id"], "provider": "stripe", "payment_method": "pm_card_visa"}
        payment = await self._narrator.post(CUSTOMER, "/payments", body)
        self._narrator.say(f"   paid {payment['amount']} {payment['currency']} by card, for {escrow['id']}")
        await self._settled(payment["id"], "succeeded")
        path = f"/escrows/{escrow['id']}"
        escrow = await self._narrator.wait_for(
            "funded by card", CUSTOMER, path, lambda found: found["status"] != "open"
        )
        self._narrator.expect("the escrow that was paid by card", escrow["status"], "funded")
        await self._finish(escrow, released="114.00", commission="6.00")
        self._show_run(payment)

    async def _pay_an_invoice(self) -> None:
        lines = [{"description": "Onboarding, hours", "quantity": 3, "unit_amount": "20.00"}]
        asked = {"organization_id": self._customer_id, "currency": "USD", "lines": lines}
        invoice = await self._narrator.post("operator", "/billing/invoices", asked)
        path = f"/billing/invoices/{invoice['id']}"
        self._narrator.say(f"   {invoice['number']} over {invoice['total']} USD, due {invoice['due_at']}")
        page = {"hosted": True, "return_url": "http://localhost:3000/"}
        first = await self._narrator.post(CUSTOMER, f"{path}/pay", page)
        card = {"payment_method": "pm_card_visa"}
        problem = await self._narrator.be_refused(CUSTOMER, f"{path}/pay", card, "payment.under_way")
        self._narrator.say("   a page to pay it is open in another window, so a card is refused:")
        self._narrator.say(f"     {problem['detail']}")
        await self._narrator.post(CUSTOMER, f"/payments/{first['id']}/cancel")
        self._show_run(await self._settled(first["id"], "cancelled"))
        second = await self._narrator.post(CUSTOMER, f"{path}/pay", card)
        invoice = await self._narrator.wait_for("paid by card", CUSTOMER, path, lambda found: found["status"] == "paid")
        self._narrator.say(f"   the page is closed, and the card pays {invoice['paid']} USD")
        payments = [(paid["payment_id"], paid["amount"]) for paid in invoice["payments"]]
        self._narrator.expect("what paid the invoice", payments, [(second["id"], "60.00")])
        self._narrator.expect("the invoice", (invoice["status"], invoice["due"]), ("paid", "0.00"))

    async def _buy_a_slot(self) -> None:
        await self._narrator.post(CUSTOMER, "/projects", {"name": "Charts"})
        await self._narrator.post(CUSTOMER, "/projects/charts/deploy", {})
        problem = await self._narrator.be_refused(CUSTOMER, "/projects", {"name": "Tides"}, "deployment.limit_reached")
        self._narrator.say(f"   a second project is refused: {problem['detail']}")
        bought = await self._narrator.post(
            CUSTOMER, "/projects/deployment/purchase-slot", {"payment_method": "pm_card_visa"}
        )
        payment = await self._settled(bought["id"], "succeeded")
        await self._narrator.post(CUSTOMER, "/projects", {"name": "Tides"})
        await self._narrator.post(CUSTOMER, "/projects/tides/deploy", {})
        limits = await self._narrator.get(CUSTOMER, "/projects/deployment/limits")
        self._narrator.expect("the slots", limits["slots"], {"free": 0, "in_use": 1, "owed": 0})
        self._narrator.say(f"   a slot for {payment['received_amount']} USD, and both projects are deployed")
        await self._narrator.be_refused(CUSTOMER, f"/payments/{bought['id']}/refunds", {}, "ledger.insufficient_funds")
        self._narrator.say("   while it is in use, its money does not go back")
        self._show_run(payment)

    async def _ask_for_a_refund(self) -> None:
        path = f"/payments/{self._top_ups['card']}"
        refund = await self._narrator.post(CUSTOMER, f"{path}/refunds", {"amount": "4.00", "reason": "changed plans"})
        taken = refund["taken"]
        self._narrator.say(
            f"   of 4.00 of 25.00 USD {refund['amount']} are refunded and the fee of {refund['fee']} is kept; "
            f"{taken['amount']} {taken['currency']} are taken for it"
        )
        payment = await self._settled(self._top_ups["card"], "partially_refunded")
        self._narrator.expect("what can still be refunded", payment["refundable_amount"], "21.00")
        refused = "payment.refund_exceeds_remainder"
        problem = await self._narrator.be_refused(CUSTOMER, f"{path}/refunds", {"amount": "21.01"}, refused)
        self._narrator.say(f"   21.01 more are refused: {problem['detail']}")
        await self._expect_balance("after the refund", available="660.00")
        self._show_run(payment)

    async def _lose_a_chargeback(self) -> None:
        escrow = await self._award("Survey the coast", "650.00", "CREDIT")
        escrow = await self._narrator.post(CUSTOMER, f"/escrows/{escrow['id']}/fund", {"source": "credits"})
        await self._finish(escrow, released="617.50", commission="32.50")
        await self._expect_balance("after the work was paid", available="10.00")

        payment_id = self._top_ups["checkout"]
        timeline = await self._narrator.get(CUSTOMER, f"/payments/{payment_id}/timeline")
        charge = next(event["details"]["movement"] for event in timeline["data"] if event["kind"] == "received")
        opened = await self._narrator.steer(f"{self._running.stripe_control_url}/dispute", {"charge": charge})
        await self._settled(payment_id, "disputed")
        found = await self._narrator.get(CUSTOMER, "/disputes")
        dispute = next(one for one in found["data"] if one["payment_id"] == payment_id)
        self._narrator.say(
            f"   the cardholder's bank takes {dispute['amount']} USD back; due {dispute['evidence_due_at']}"
        )
        self._narrator.expect("what the chargeback takes", dispute["taken"]["amount"], "100.00")
        self._narrator.expect("what is owed because of it", dispute["owed"]["amount"], "90.00")
        text = {"text": "The credits were used on the day of the payment."}
        path = f"/disputes/{dispute['id']}/evidence"
        offered = await self._narrator.post(CUSTOMER, path, text)
        self._narrator.expect("what the bank has of the customer's evidence", offered["evidence_submitted_at"], None)
        await self._narrator.post("operator", path, text)
        ended = {"dispute": opened["id"], "outcome": "lost"}
        await self._narrator.steer(f"{self._running.stripe_control_url}/dispute/close", ended)
        payment = await self._settled(payment_id, "charged_back")
        self._narrator.say(
            "   the customer says why, an operator answers the bank, and it decides against them: charged_back"
        )
        await self._expect_balance("after the chargeback", available="0.00", owed="90.00")
        await self._who_is_alerted(payment_id)
        self._show_run(payment)

        top_up = {"amount": "100.00", "provider": "stripe", "payment_method": "pm_card_visa"}
        await self._paid("the next top-up", await self._narrator.post(CUSTOMER, "/billing/topup", top_up))
        await self._expect_balance("after it, which paid the debt first", available="10.00")
        await self._debts_alert_is_resolved(payment_id)

    async def _who_is_alerted(self, payment_id: str) -> None:
        alerts = await self._narrator.get(CUSTOMER, f"/alerts?subject={payment_id}&unacknowledged=true")
        kinds = sorted({one["kind"] for one in alerts["data"]})
        self._narrator.say(f"   operators and the owner are alerted: {', '.join(kinds)}")
        lost = ["payment.debt", "payment.dispute_lost"]
        self._narrator.expect("alerts of the chargeback", kinds, lost)
        for one in alerts["data"]:
            await self._narrator.post(CUSTOMER, f"/alerts/{one['id']}/acknowledge")
        firing = await self._narrator.get("operator", f"/alerts?subject={payment_id}&status=firing")
        self._narrator.say("   the owner acknowledges them for the organization; to operators they are firing still")
        self._narrator.expect("firing to operators", sorted({one["kind"] for one in firing["data"]}), lost)
        trail = await self._narrator.get(CUSTOMER, f"/audit?target={payment_id}&limit=50")
        debts = [one for one in trail["data"] if (one["action"], one["target"]) == ("payment.debt", payment_id)]
        self._narrator.say(
            f"   the owner reads of it in the balance, at /alerts and /disputes, and in the audit trail ({len(debts)})"
        )
        self._narrator.expect("debts in the owner's audit trail", len(debts), 1)

    async def _debts_alert_is_resolved(self, payment_id: str) -> None:
        found = await self._narrator.get("operator", f"/alerts?subject={payment_id}&kind=payment.debt")
        by = [one["resolved_by"] for one in found["data"]]
        self._narrator.say(f"   nothing is owed, so the alert of the debt is resolved, by {', '.join(map(str, by))}")
        self._narrator.expect("who resolves the alert of the debt", by, ["books"])

    async def _award(self, title: str, price: str, currency: str) -> Json:
        terms = {"validation_threshold": "0.80", "signatories": [CUSTOMER], "required_signatures": 1}
        award = {"title": title, "price": price, "currency": currency, "agent_id": self._running.ids["agent"], **terms}
        contract = await self._narrator.post(CUSTOMER, "/contracts", award)
        return await self._narrator.post(CUSTOMER, "/escrows", {"contract_id": contract["id"]})

    async def _finish(self, escrow: Json, *, released: str, commission: str) -> None:
        path, title = f"/escrows/{escrow['id']}", f"escrow over {escrow['amount']} {escrow['currency']}"
        await self._narrator.post("agent", f"{path}/delivery", WORK)
        escrow = await self._narrator.post("validator", f"{path}/validation", {"score": "0.95"})
        self._narrator.say(
            f"   {title}: {escrow['status']}, the agent earned {escrow['released_amount']}, commission "
            f"{escrow['commission_amount']}"
        )
        self._narrator.expect(f"{title}: released", escrow["released_amount"], released)
        self._narrator.expect(f"{title}: commission", escrow["commission_amount"], commission)

    async def _paid(self, words: str, made: Json) -> None:
        payment = await self._settled(made["payment_id"], "succeeded")
        timeline = await self._narrator.get(CUSTOMER, f"/payments/{payment['id']}/timeline")
        received = [event["details"] for event in timeline["data"] if event["kind"] == "received"]
        self._narrator.expect(f"{words}: charges", len(received), 1)
        self._narrator.expect(f"{words}: credits", payment["granted"]["amount"], made["credits"])
        price = f"{payment['received_amount']} {payment['currency']}"
        fee = f"fee {received[0]['fee']}" if received and received[0].get("fee") else ""
        self._narrator.say(
            f"   {words:<20} {made['credits']:>8} credits for {price:<16} {payment['status']}  {fee}".rstrip()
        )
        self._show_run(payment)

    async def _settled(self, payment_id: str, status: str) -> Json:
        path = f"/payments/{payment_id}"
        return await self._narrator.wait_for(f"{status}", CUSTOMER, path, lambda found: found["status"] == status)

    def _show_run(self, payment: Json) -> None:
        self._narrator.say(f"     run  {self._running.run_url(payment['workflow_id'])}")

    async def _expect_balance(self, when: str, *, available: str, owed: str = "0.00") -> None:
        balance = await self._narrator.get(CUSTOMER, "/billing/balance")
        owes = f", owes {balance['owed']}" if balance["owed"] != "0.00" else ""
        self._narrator.say(f"   balance {when}: {balance['available']} credits{owes}")
        self._narrator.expect(f"balance {when}", (balance["available"], balance["owed"]), (available, owed))

    async def _prove(self) -> None:
        """Compare the providers' own books with ours, once every webhook has arrived and is handled."""
        stripe = await self._narrator.steer(f"{self._running.stripe_control_url}/webhooks/flush")
        await self._narrator.steer(f"{self._running.paypal_api_base}/_control/webhooks/flush")
        self._narrator.say("\nWebhooks")
        for row in await self._inbox():
            delivered = stripe["delivered"] - self._delivered_before
            sent = f"; {row['provider']} delivered {delivered}" if row["provider"] == "stripe" else ""
            self._narrator.say(f"  {row['provider']:<8} {row['stored']} events, each stored and handled once{sent}")
        self._narrator.say(f"\nReconciliation         {'movements':>12} {'they say':>16} {'we say':>16}")
        for provider, before in self._before.items():
            self._compare(provider, before, await self._statement(provider))

    async def _inbox(self) -> list[asyncpg.Record]:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        connection = await asyncpg.connect(self._running.database_url)
        try:
            rows = await connection.fetch(_INBOX, self._began_at)
            while any(row["handled"] < row["stored"] for row in rows):
                if time.monotonic() > give_up_at:
                    self._narrator.problems.append(f"webhooks that nobody has handled: {rows}")
                    raise StoryEnded
                await asyncio.sleep(PAUSE_SECONDS)
                rows = await connection.fetch(_INBOX, self._began_at)
        finally:
            await connection.close()
        return list(rows)

    async def _statement(self, provider: str) -> Statement:
        """Reconcile a provider from before the demo until now."""
        window = {"from": (self._began_at - timedelta(hours=1)).isoformat(), "to": datetime.now(UTC).isoformat()}
        run = await self._narrator.post("operator", "/reconciliation/runs", {"provider": provider, **window})
        path = f"/reconciliation/runs/{run['id']}"
        run = await self._narrator.wait_for(path, "operator", path, lambda found: found["status"] != "running")
        self._narrator.expect(f"reconciliation of {provider}", run["status"], "done")
        found = await self._narrator.get(
            "operator", f"/reconciliation/differences?provider={provider}&status=open&limit=200"
        )
        sums: dict[str, Sums] = {}
        for line in run["lines"]:
            counted = Sums(sum(line["counts"].values()), Decimal(line["listed_net"]), Decimal(line["booked_net"]))
            sums[line["currency"]] = sums.get(line["currency"], Sums()) + counted
        unexplained = {account["currency"]: Decimal(account["unexplained"]) for account in run["clearing"]}
        return Statement(sums, unexplained, frozenset(one["id"] for one in found["data"]))

    def _compare(self, provider: str, before: Statement, after: Statement) -> None:
        """Check what the demo has added, and report separately what was there before."""
        self._narrator.expect(f"differences of {provider} that came with the demo", len(after.open - before.open), 0)
        for currency, total in sorted(after.sums.items()):
            made = total - before.sums.get(currency, Sums())
            if made.count:
                self._narrator.say(
                    f"  {provider:<10} {currency:<10} {made.count:>11} {made.listed:>16} {made.booked:>16}"
                )
            self._narrator.expect(f"{provider}, {currency}: their books against ours", made.listed, made.booked)
        for currency, amount in after.unexplained.items():
            was = before.unexplained.get(currency, Decimal(0))
            self._narrator.expect(f"{provider}, {currency}: unexplained", amount - was, 0)
        if before.open:
            differences = (
                "1 open discrepancy was" if len(before.open) == 1 else f"{len(before.open)} open discrepancies were"
            )
            self._narrator.say(f"  {provider}: {differences} there before the demo; `make reconcile` shows them")
