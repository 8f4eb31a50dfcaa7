"""The command line: `python -m tests.faults [escrows] [payments] … [--seed N]`; `--help` lists the runs."""

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

from dev.stack.process import StackError
from dev.stack.supervisor import Stack
from tests.faults.audit import Findings
from tests.faults.cards import CardSetup, described as described_cards, run_cards
from tests.faults.collecting import CollectingSetup, described as described_collecting, run_collecting
from tests.faults.invoices import InvoiceSetup, described as described_invoices, run_invoices
from tests.faults.nights import NightSetup, described as described_nights, run_nights
from tests.faults.notifications import NotificationSetup, described as described_notifications, run_notifications
from tests.faults.payments import PaymentSetup, described as described_payments, run_payments
from tests.faults.payouts import PayoutSetup, described as described_payouts, run_payouts
from tests.faults.purchase_orders import PurchaseOrderSetup, described as described_purchase_orders, run_purchase_orders
from tests.faults.purchases import PurchaseSetup, described as described_purchases, run_purchases
from tests.faults.rotations import RotationSetup, described as described_rotations, run_rotations
from tests.faults.run import Say, Setup, described, report, run, running
from tests.faults.spends import SpendSetup, described as described_spends, run_spends
from tests.faults.subscriptions import SubscriptionSetup, described as described_subscriptions, run_subscriptions
from tests.faults.sync import SyncSetup, described as described_sync, run_sync
from tests.faults.webhooks import PATIENCE, WebhookSetup, described as described_webhooks, run_webhooks
from tests.support.bonus import NO_BONUS

#: A run whose setup is given.
Run = Callable[[Say, Stack], Coroutine[None, None, Findings]]
RUNS = (
    *("escrows", "payments", "spends", "sync", "invoices", "collecting", "payouts", "subscriptions", "purchases"),
    *("purchase_orders", "webhooks", "notifications", "nights", "cards", "rotations"),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Kill every part under load, and count."
    )
    parser.add_argument("runs", nargs="*", choices=[*RUNS, []], help="which of them; all by default")
    parser.add_argument("--escrows", type=int, default=200, help="how many escrows are settled (200)")
    parser.add_argument("--payments", type=int, default=300, help="how many payments are made (300)")
    parser.add_argument("--spends", type=int, default=600, help="how many charges and reservations are made (600)")
    parser.add_argument("--calls", type=int, default=1_000, help="how many calls are logged for the sync (1000)")
    parser.add_argument("--organizations", type=int, default=1_000, help="how many are invoiced for a month (1000)")
    parser.add_argument("--invoices", type=int, default=60, help="how many invoices are charged (60)")
    parser.add_argument("--payouts", type=int, default=60, help="how many payouts are made (60)")
    parser.add_argument("--subscribers", type=int, default=40, help="how many organizations subscribe (40)")
    parser.add_argument("--purchases", type=int, default=60, help="how many agents are bought and used (60)")
    parser.add_argument("--orders", type=int, default=120, help="how many purchase orders are made (120)")
    parser.add_argument("--events", type=int, default=1_000, help="how many events are sent by webhook (1000)")
    parser.add_argument("--endpoints", type=int, default=10, help="how many endpoints get webhooks (10)")
    parser.add_argument("--facts", type=int, default=120, help="how many facts people are told of (120)")
    parser.add_argument("--agents", type=int, default=10_000, help="how many scores a night is taken of (10000)")
    parser.add_argument("--authorizations", type=int, default=120, help="how many merchants ask a card (120)")
    parser.add_argument("--rotations", type=int, default=40, help="how many secrets are rotated (40)")
    parser.add_argument("--late", type=float, default=60, help="for how many seconds a transaction stays open (60)")
    parser.add_argument("--one-in", type=int, default=50, help="one webhook in so many is not taken at first (50)")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        help="how many seconds a webhook may take (240)",
    )
    parser.add_argument("--kills", type=int, default=4, help="how often each part is killed (4)")
    parser.add_argument("--clients", type=int, default=20, help="how many clients work at once (20)")
    parser.add_argument("--seed", type=int, default=None, help="draws the same plans, kills and outages again")
    options = parser.parse_args()
    os.environ |= NO_BONUS
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    escrows = Setup(seed, options.escrows, options.kills, options.clients)
    payments = PaymentSetup(seed, options.payments, options.kills, options.clients)
    spends = SpendSetup(seed, options.spends, options.kills, options.clients)
    sync = SyncSetup(seed, options.calls, options.kills)
    invoices = InvoiceSetup(seed, options.organizations, options.kills)
    collecting = CollectingSetup(seed, options.invoices, options.kills)
    payouts = PayoutSetup(seed, options.payouts, options.kills)
    subscriptions = SubscriptionSetup(seed, options.subscribers, options.kills)
    purchases = PurchaseSetup(seed, options.purchases, options.kills)
    purchase_orders = PurchaseOrderSetup(seed, options.orders, options.kills)
    webhooks = WebhookSetup(
        seed,
        options.events,
        options.endpoints,
        options.kills,
        clients=options.clients,
        one_in=options.one_in,
        late=options.late,
        patience=options.patience,
    )
    notifications = NotificationSetup(seed, options.facts, kills=options.kills)
    cards = CardSetup(seed, options.authorizations, options.kills)
    nights = NightSetup(seed, options.agents, options.kills)
    rotations = RotationSetup(seed, options.rotations, options.kills)
    wanted = {
        "escrows": (described(escrows), partial(run, escrows)),
        "payments": (described_payments(payments), partial(run_payments, payments)),
        "spends": (described_spends(spends), partial(run_spends, spends)),
        "sync": (described_sync(sync), partial(run_sync, sync)),
        "invoices": (described_invoices(invoices), partial(run_invoices, invoices)),
        "collecting": (described_collecting(collecting), partial(run_collecting, collecting)),
        "payouts": (described_payouts(payouts), partial(run_payouts, payouts)),
        "subscriptions": (described_subscriptions(subscriptions), partial(run_subscriptions, subscriptions)),
        "purchases": (described_purchases(purchases), partial(run_purchases, purchases)),
        "purchase_orders": (described_purchase_orders(purchase_orders), partial(run_purchase_orders, purchase_orders)),
        "webhooks": (described_webhooks(webhooks), partial(run_webhooks, webhooks)),
        "notifications": (described_notifications(notifications), partial(run_notifications, notifications)),
        "rotations": (described_rotations(rotations), partial(run_rotations, rotations)),
        "nights": (described_nights(nights), partial(run_nights, nights)),
        "cards": (described_cards(cards), partial(run_cards, cards)),
    }
    return max([_one(seed, *wanted[name]) for name in options.runs or RUNS])


async def _on_its_own_stack(run_on: Run, data_dir: Path) -> Findings:
    async with running(data_dir, _say) as stack:
        return await run_on(_say, stack)


def _one(seed: int, what: str, run_on: Run) -> int:
    """Do one run and print what was found; its data stays when something is off."""
    home = Path(tempfile.mkdtemp(prefix="bursar-faults-"))
    home.chmod(0o711)  # the account of PostgreSQL passes through
    _say(f"Faults with seed {seed}: {what}")
    began = time.monotonic()
    try:
        findings = asyncio.run(_on_its_own_stack(run_on, home / "data"))
    except (StackError, ExceptionGroup) as error:
        print(f"error: {error}\nThe data and the logs stay in {home}; again with --seed {seed}", file=sys.stderr)
        return 1
    verdict = "Something is off" if findings.wrong else "Nothing was lost, nothing was done twice"
    _say(f"\n{report(findings)}\n\n{verdict}: seed {seed}, {time.monotonic() - began:.0f} s\n")
    if findings.wrong:
        print(f"The data and the logs stay in {home}; again with --seed {seed}", file=sys.stderr)
        return 1
    shutil.rmtree(home, ignore_errors=True)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
