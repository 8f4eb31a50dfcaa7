"""Proves that every amount of the year ties out: from usage to the ledger, and from the ledger to the provider.

What the books say is compared with what was done (as the market noted it), with the provider's own objects, and with
sums that are reckoned here from the rows and not by the product.
"""

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from commands.verify import verify
from dev.year.market import PAGE, UNIT, Customer, Market
from dev.year.metrics import compare
from dev.year.world import GRAIN, YearError
from domain.billing.billing_run.period import month_text
from domain.common.money import CREDIT, SLOT, format_amount, parse_amount

ASSET = "USD"
#: A payment of Stripe is booked at the next stop of the calendar, and not by a poll of the subscription.
BOOKED_WITHIN = GRAIN + timedelta(minutes=30)


@dataclass(frozen=True)
class Tie:
    """Two sums that must be equal, and how many things they are of."""

    name: str
    count: int
    ours: int
    other: int
    asset: str = ASSET

    def line(self) -> str:
        """Return it for a person."""
        sums = " = ".join(f"{format_amount(minor, self.asset):>12}" for minor in (self.ours, self.other))
        return f"  {self.name:<76} {self.count:>5}  {sums} {self.asset}"


class Proof:
    """Collects what ties, and what does not."""

    def __init__(self, market: Market) -> None:
        """Take the market, with what its people did."""
        self.market, self.world = market, market.world
        self.ties: list[Tie] = []
        self.problems: list[str] = []

    async def prove(self) -> list[str]:
        """Return a line for each tie.

        Raises:
            YearError: something does not tie, or the books are damaged.
        """
        steps: list[Callable[[], Awaitable[None]]] = [
            self._usage,
            self._invoices,
            self._tax,
            self._subscriptions,
            self._agreed,
            self._trials,
            self._uses,
            self._referrals,
            self._credits,
            self._payments,
            self._purchases,
            self._clearing,
            self._payouts,
            self._inbox,
            self._metrics,
        ]
        for step in steps:
            await step()
        report = await verify(self.world.books)
        if not report.ok:
            self.problems += report.lines()
        if self.problems:
            raise YearError("\n".join(["the year does not tie out:", *self.problems]))
        rules = sum(check.checked for check in report.checks)
        return [*(tie.line() for tie in self.ties), f"  verify: {len(report.checks)} rules, {rules} rows, no violation"]

    def _customers(self) -> Iterable[Customer]:
        return self.market.customers.values()

    async def _rows(self, sql: str) -> Sequence[Mapping[str, Any]]:
        return cast("Sequence[Mapping[str, Any]]", await self.world.books.fetch(sql))

    async def _balance(self, like: str, asset: str = ASSET) -> int:
        """Return what accounts hold, as the sum of all their entries."""
        sql = """
            SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entries e
            JOIN ledger.accounts a ON a.id = e.account_id WHERE a.path LIKE $1 AND a.asset = $2
        """
        return int(await self.world.books.fetchval(sql, like, asset))

    def _tie(self, name: str, count: int, ours: int, other: int, asset: str = ASSET) -> None:
        self.ties.append(Tie(name, count, ours, other, asset))
        if ours != other:
            self.problems.append(f"{name}: {ours} is not {other}")

    def _same(self, name: str, ours: Mapping[Any, Any], other: Mapping[Any, Any], asset: str = ASSET) -> None:
        """Compare two lists by key; amounts are in minor units."""
        wrong = [
            f"{name}, {key}: {ours.get(key)} is not {other.get(key)}"
            for key in sorted({*ours, *other}, key=str)
            if ours.get(key) != other.get(key)
        ]
        self.problems += wrong
        self._tie(name, len(ours), sum(ours.values()), sum(other.values()), asset)

    # The ties ---------------------------------------------------------------------------------------------------------

    async def _usage(self) -> None:
        """The reports of the market, the events, and with their markup the lines of the monthly invoices."""
        reported: Counter[tuple[str, str]] = Counter()
        for customer in self._customers():
            for (month, _), units in customer.used.items():
                reported[customer.org_id, month] += int(units * UNIT * 100)
        markup = 1 + Decimal(self.world.settings.cost_markup)
        events, marked = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for row in await self._rows(
            "SELECT org_id, bill_month, sum(cost_pico) / 10000000000 AS minor FROM usage_events"
            " WHERE bill_month IS NOT NULL GROUP BY 1, 2, model"
        ):
            events[key := (row["org_id"], f"{row['bill_month']:%Y-%m}")] += int(row["minor"])
            marked[key] += math.ceil(row["minor"] * markup)
        self._same("usage that was reported = usage events, by organization and month", reported, events)
        lines: Counter[tuple[str, str]] = Counter()
        for period in await self._rows(
            "SELECT p.org_id, p.month, i.subtotal_minor + i.granted_minor + i.taxed_minor AS minor"
            " FROM billed_periods p JOIN invoices i ON i.id = p.invoice_id"
        ):
            lines[period["org_id"], month_text(period["month"])] += period["minor"]
        # Without those that only show what credits have paid, at zero.
        self._same("usage events, marked up = lines of monthly invoices, before granted", marked, +lines)

    async def _invoices(self) -> None:
        """Invoices, their payments, and what is receivable."""
        rows = await self._rows("SELECT * FROM invoices WHERE issued_at IS NOT NULL")
        numbers = sorted(row["number"] for row in rows)
        wanted = [f"INV-{number:06d}" for number in range(1, len(rows) + 1)]
        if numbers != wanted:
            self.problems.append(f"invoice numbers have a gap: {numbers[:5]} … {numbers[-1:]} for {len(rows)}")
        paid = {
            row["invoice_id"]: int(row["amount"])
            for row in await self._rows(
                "SELECT invoice_id, sum(amount_minor) AS amount FROM invoice_payments GROUP BY 1"
            )
        }
        due = sum(
            row["total_minor"]
            - row["prepaid_minor"]
            - row["rounded_minor"]
            - row["credited_minor"]
            - row["written_off_minor"]
            - paid.get(row["id"], 0)
            for row in rows
            if row["status"] != "void"
        )
        booked = -await self._balance("org/%/receivable/%")
        self._tie("invoices, less what has paid them = receivables", len(rows), due, booked)
        lost = [row["written_off_minor"] for row in rows if row["written_off_minor"]]
        self._tie(
            "invoices that were given up = bad debt", len(lost), sum(lost), -await self._balance("platform/bad_debt")
        )

    async def _tax(self) -> None:
        """Tax on invoices and on sales that are taxed when they are paid, and the accounts of taxes."""
        owed: Counter[str] = Counter()
        for row in await self._rows("SELECT taxes FROM invoices WHERE issued_at IS NOT NULL AND status <> 'void'"):
            for tax in json.loads(row["taxes"]):
                if tax.get("code"):
                    owed[tax["code"]] += tax["tax_minor"]
        for row in await self._rows("SELECT tax_code, sum(tax_minor)::bigint AS tax FROM tax_receipts GROUP BY 1"):
            owed[row["tax_code"]] += row["tax"]
        booked = {code: await self._balance(f"platform/tax/{code}") for code in owed}
        self._same("tax of invoices and of sales = tax accounts, by code", dict(owed), booked)

    async def _subscriptions(self) -> None:
        """Compare Stripe's subscription payments with Bursar's invoices and entries."""
        invoices = [one for one in await self.world.all_at_stripe("invoices", status="paid") if one["amount_paid"]]
        at_stripe = {one["id"]: int(one["amount_paid"]) for one in invoices}
        ours = {
            row["bill_ref"]: int(row["total_minor"])
            for row in await self._rows(
                "SELECT b.bill_ref, i.total_minor FROM subscription_bills b JOIN invoices i ON i.id = b.invoice_id"
            )
        }
        self._same("invoices of subscriptions = Stripe's invoices that were paid", ours, at_stripe)
        paid_at = {one["id"]: datetime.fromtimestamp(one["status_transitions"]["paid_at"], UTC) for one in invoices}
        for row in await self._rows("SELECT bill_ref, settled_at FROM subscription_bills WHERE settled_at IS NOT NULL"):
            if row["settled_at"] > paid_at[row["bill_ref"]] + BOOKED_WITHIN:
                self.problems.append(
                    f"{row['bill_ref']} was paid at {paid_at[row['bill_ref']]}, booked at {row['settled_at']}"
                )
        [sums] = await self._rows(
            "SELECT count(*) AS bills, coalesce(sum(amount_minor), 0)::bigint AS net,"
            " coalesce(sum(granted_minor), 0)::bigint AS granted, coalesce(sum(accrued_minor), 0)::bigint AS accrued"
            " FROM subscription_bills"
        )
        deferred = await self._balance("platform/deferred_subscriptions")
        accrued = await self._balance("platform/revenue/subscriptions")
        self._tie(
            "subscriptions, net of tax = deferred + revenue + what credits took along",
            sums["bills"],
            sums["net"],
            deferred + accrued + sums["granted"],
        )

    async def _agreed(self) -> None:
        """Check invoices of organizations with a negotiated plan price."""
        prices = {each.org_id: price for each in self._customers() for price in each.agreed.values()}
        agreed = {org_id: int(Decimal(price) * 100) for org_id, price in prices.items()}
        bills = [
            row
            for row in await self._rows("SELECT org_id, gross_minor FROM subscription_bills")
            if row["org_id"] in agreed
        ]
        billed, wanted = sum(row["gross_minor"] for row in bills), sum(agreed[row["org_id"]] for row in bills)
        self._tie("agreed prices of plans = what was billed", len(bills), wanted, billed)

    async def _trials(self) -> None:
        """Trials that were begun, and that nothing was billed before their ends."""
        rows = await self._rows(
            "SELECT t.subscription_id, (s.state->>'trial_end')::timestamptz AS ends_at,"
            " (SELECT min(b.period_start) FROM subscription_bills b"
            "  WHERE b.subscription_id = s.id AND b.gross_minor > 0) AS billed_from"
            " FROM subscription_trials t JOIN subscriptions s ON s.id = t.subscription_id"
        )
        early = [row for row in rows if row["billed_from"] is not None and row["billed_from"] < row["ends_at"]]
        if len(rows) != self.market.trials or early:
            self.problems.append(
                f"{self.market.trials} trials were begun, {len(rows)} are known, billed early: {early}"
            )

    async def _uses(self) -> None:
        """Compare uses of marketplace agents with sales."""
        reported = {
            (each.org_id, agent_id): pages * parse_amount(PAGE, CREDIT)
            for each in self._customers()
            for agent_id, pages in each.pages.items()
        }
        sold = {
            (row["org_id"], row["agent_id"]): int(row["minor"])
            for row in await self._rows(
                "SELECT org_id, agent_id, sum(price_minor)::bigint AS minor FROM marketplace_uses GROUP BY 1, 2"
            )
        }
        self._same("uses of agents at their prices = uses that were sold", reported, sold, CREDIT)

    async def _referrals(self) -> None:
        """Referred organizations, and the credits granted for them."""
        rows = await self._rows("SELECT * FROM referrals")
        if (kept := {row["org_id"]: row["referrer_org_id"] for row in rows}) != self.market.referred:
            self.problems.append(f"referrals are {kept}, not {self.market.referred}")
        [lots] = await self._rows(
            "SELECT coalesce(sum(amount_minor), 0)::bigint AS minor FROM credit_lots WHERE source = 'reward'"
        )
        became = ", ".join(f"{count} {status}" for status, count in sorted(Counter(r["status"] for r in rows).items()))
        granted = sum(row["referrer_minor"] + row["referred_minor"] for row in rows)
        self._tie(f"referrals ({became}) = credits granted for them", len(rows), granted, lots["minor"], CREDIT)

    async def _credits(self) -> None:
        """Credits in lots, and balances."""
        [lots] = await self._rows(
            "SELECT count(*) AS lots, coalesce(sum(remaining), 0)::bigint AS credits FROM ledger.lots WHERE is_open"
        )
        [held] = await self._rows(
            "SELECT coalesce(sum(b.posted), 0)::bigint AS credits FROM ledger.accounts a"
            " JOIN ledger.balances b ON b.account_id = a.id WHERE a.lots"
        )
        self._tie("credits in lots = balances in credits", lots["lots"], lots["credits"], held["credits"], CREDIT)

    async def _payments(self) -> None:
        """Compare payments and refunds with Stripe's charges."""
        charges = [one for one in await self.world.all_at_stripe("charges") if one["paid"]]
        received = await self._rows("SELECT key, amount_minor FROM payment_movements WHERE kind = 'charge'")
        self._tie(
            "payments received = Stripe's charges",
            len(received),
            sum(row["amount_minor"] for row in received),
            sum(one["amount_captured"] for one in charges),
        )
        refunds = [one for one in await self.world.all_at_stripe("refunds") if one["status"] == "succeeded"]
        given = await self._rows("SELECT key, amount_minor FROM payment_movements WHERE kind LIKE 'refund%'")
        self._tie(
            "payments given back = Stripe's refunds",
            len(given),
            -sum(row["amount_minor"] for row in given),
            sum(one["amount"] for one in refunds),
        )

    async def _purchases(self) -> None:
        """Compare card purchases of agents, net of refunds, with Stripe's charges."""
        sold = {
            row["payment_id"]: int(row["left"])
            for row in await self._rows(
                "SELECT payment_id, price_minor - taken_minor AS left FROM marketplace_purchases"
                " WHERE payment_id IS NOT NULL AND status <> 'suspended'"
            )
        }
        charges = {
            one["metadata"]["payment_id"]: one["amount_captured"] - one["amount_refunded"]
            for one in await self.world.all_at_stripe("charges")
            if one["paid"] and one["metadata"].get("payment_id") in sold
        }
        self._same("agents bought by card, less refunds = Stripe's charges of them", sold, charges)

    async def _clearing(self) -> None:
        """Compare the books' Stripe balance with Stripe's own."""
        moved = await self.world.all_at_stripe("balance_transactions")
        balance = await self.world.at_stripe("GET", "balance")
        there = sum(one["amount"] for one in (*balance["available"], *balance["pending"]) if one["currency"] == "usd")
        held = -await self._balance("provider/stripe/clearing")
        net = sum(one["net"] for one in moved)
        self._tie("clearing account = Stripe's balance transactions", len(moved), held, net)
        self._tie("clearing account = Stripe's balance", 1, held, there)

    async def _payouts(self) -> None:
        """Payouts, and Stripe's transfers to the creators' accounts."""
        transfers = {
            one["id"]: one["amount"] - one["amount_reversed"] for one in await self.world.all_at_stripe("transfers")
        }
        if (payable := await self._balance("platform/payable")) < 0:
            self.problems.append(f"more was paid out than came in for it: payable is {payable}")
        ours = {
            row["transfer_ref"]: int(row["amount_minor"])
            for row in await self._rows(
                "SELECT p.transfer_ref, p.amount_minor - coalesce(sum(r.amount_minor), 0) AS amount_minor"
                " FROM payouts p LEFT JOIN transfer_reversals r ON r.payout_id = p.id AND r.status = 'reversed'"
                " WHERE p.status = 'paid' GROUP BY p.id"
            )
        }
        self._same("payouts = Stripe's transfers", ours, transfers)

    async def _metrics(self) -> None:
        """Metrics of the last whole month and of all time, of each organization and of all, and sums of single rows."""
        now = self.world.now().astimezone(UTC)
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        before = (month - timedelta(days=1)).replace(day=1)
        org_ids = [row["id"] for row in await self._rows("SELECT id FROM organizations ORDER BY id")]
        count = 0
        for since, until in ((before, month), (month - timedelta(days=1096), month)):
            compared, wrong = await compare(self.world.database, self.world.books, org_ids, since, until, now)
            count, self.problems = count + compared, self.problems + wrong
        self._tie("metrics of a month and of three years = sums of single rows, values", count, count, count, SLOT)

    async def _inbox(self) -> None:
        [left] = await self._rows("SELECT count(*) AS events FROM provider_events WHERE handled_at IS NULL")
        [unmatched] = await self._rows("SELECT count(*) AS n FROM alerts WHERE kind = 'webhook.unmatched'")
        [differences] = await self._rows("SELECT count(*) AS n FROM reconciliation_differences WHERE status = 'open'")
        counted = {
            "events are not handled": left["events"],
            "types of events are about nothing in the books": unmatched["n"],
            "differences are open": differences["n"],
        }
        for words, count in counted.items():
            if count:
                self.problems.append(f"{count} {words}")
