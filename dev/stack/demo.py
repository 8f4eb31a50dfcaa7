"""The demo: drives a stack through the main story over HTTP, prints each step, and verifies the books.

A stack that runs on the data directory is used; otherwise a fresh one runs for the length of the demo. Deviations from
the story are printed at the end, and the exit code is 1.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from dev.stack import (
    alert_story,
    console_story,
    limit_story,
    marketplace_story,
    purchase_story,
    reputation_story,
    returns_story,
    risk_story,
    search_story,
    secret_story,
    webhook_story,
)
from dev.stack.migrate import ROOT
from dev.stack.narrator import Narrator, Say, StoryEnded
from dev.stack.payment_story import PaymentStory
from dev.stack.running import Running
from dev.stack.stories import STORIES, Story
from dev.stack.supervisor import Stack

ZERO = Decimal("0.00")
ENOUGH = Decimal("500.00")
_BALANCES = """
SELECT CASE WHEN a.path LIKE 'escrow/%' THEN 'escrow' ELSE a.path END AS path, sum(b.posted)::bigint AS posted
FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.asset = 'CREDIT' GROUP BY 1
"""


@asynccontextmanager
async def some_stack(data_dir: Path, say: Say) -> AsyncIterator[Running]:
    """Find the stack that runs on the data directory, or run a fresh one as long as the block lasts."""
    try:
        running = Running.read(data_dir / "dev.json")
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            (await client.get(f"{running.api_url}/readyz")).raise_for_status()
    except (OSError, ValueError, KeyError, httpx2.HTTPError):
        say(f"No stack runs on {data_dir}; starting a fresh one for this demo.")
    else:
        say(f"Using the stack that runs on {data_dir}.")
        yield running
        return
    with tempfile.TemporaryDirectory(prefix="bursar-demo-") as directory:
        os.chmod(directory, 0o711)
        stack = Stack(Path(directory) / "data", say=lambda line: say(f"  {line}"))
        await stack.start()
        try:
            yield Running.read(stack.dev_file)
        finally:
            await stack.stop()


class EscrowStories:
    """Tells stories of escrows paid with credits, and compares who holds what before and after."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._running = narrator.running

    async def tell(self, stories: Sequence[Story]) -> None:
        """Tell the stories between a look at the balances before and one after."""
        await self._grant_if_poor()
        before = await self._balances()
        for number, story in enumerate(stories, 1):
            self._narrator.say(f"\n{number}. {story.title}")
            try:
                await self._story(story)
            except StoryEnded:
                continue
        after = await self._balances()
        self._show_balances(before, after)
        self._expect_balances(before, after, stories)

    async def _story(self, story: Story) -> None:
        narrator, agent = self._narrator, self._running.ids["agent"]
        contract = await narrator.post("client", "/contracts", {**story.contract, "agent_id": agent})
        narrator.say(f"   {contract['title']}, for {contract['price']} {contract['currency']} ({contract['id']})")
        narrator.expect(
            f"{story.title}: terms outside of the listing", tuple(contract["outside_listing"]), story.outside
        )
        if contract["status"] == "proposed":
            await self._agree(contract)
        escrow = await narrator.post("client", "/escrows", {"contract_id": contract["id"]})
        for act in story.acts:
            escrow = await narrator.post(act.role, f"/escrows/{escrow['id']}/{act.path}", act.body)
            narrator.say(f"   {act.words:<44} {escrow['status']:<10} {_held(escrow)}")
            narrator.expect(f"{story.title}: status after “{act.words}”", escrow["status"], act.status)
        shown = {name: escrow[f"{name}_amount"] for name in ("funded", "released", "refunded", "commission")}
        narrator.say("   " + " · ".join(f"{name} {value}" for name, value in shown.items()))
        for name, value in story.amounts.items():
            narrator.expect(f"{story.title}: {name}", shown[name], value)
        parts = sum(Decimal(shown[name]) for name in ("released", "refunded", "commission"))
        narrator.expect(f"{story.title}: released + refunded + commission", parts, Decimal(shown["funded"]))
        await self._timeline(escrow)

    async def _agree(self, contract: dict[str, Any]) -> None:
        """Show that a proposal gets no escrow, and have the agent's organization accept it."""
        narrator, terms = self._narrator, " and ".join(contract["outside_listing"])
        await narrator.be_refused("client", "/escrows", {"contract_id": contract["id"]}, "contract.not_accepted")
        narrator.say(f"   {terms} are outside of the agent's listing: a proposal, which gets no escrow")
        accepted = await narrator.post("studio", f"/contracts/{contract['id']}/acceptance")
        narrator.say(f"   {'the studio accepts':<44} {accepted['status']}")
        narrator.expect("status after the studio accepted", accepted["status"], "accepted")

    async def _timeline(self, escrow: dict[str, Any]) -> None:
        timeline = await self._narrator.get("client", f"/escrows/{escrow['id']}/timeline")
        self._narrator.say("   timeline")
        for event in timeline["data"]:
            who = event["actor"].rpartition("/")[2]
            moved = event["transfer_id"] or ""
            self._narrator.say(
                f"     {event['number']:>2}  {event['at'][11:19]}  {event['kind']:<19} {who:<13} {moved}".rstrip()
            )
        self._narrator.say(f"   run  {self._running.run_url(escrow['workflow_id'])}")

    async def _grant_if_poor(self) -> None:
        balance = await self._narrator.get("client", "/billing/balance")
        if Decimal(balance["available"]) < ENOUGH:
            body = {"organization_id": self._running.ids["client_org"], "amount": "1000.00", "source": "promotion"}
            await self._narrator.post("operator", "/credits/grants", body)

    async def _balances(self) -> dict[str, Decimal]:
        """Read who holds what: the payer over HTTP, the rest in the books."""
        balance = await self._narrator.get("client", "/billing/balance")
        agent = self._running.ids["agent"]
        connection = await asyncpg.connect(self._running.database_url)
        try:
            rows = await connection.fetch(_BALANCES)
        finally:
            await connection.close()
        minor: dict[str, int] = {row["path"]: row["posted"] for row in rows}

        def credits_of(path: str) -> Decimal:
            return Decimal(minor.get(path, 0)).scaleb(-6)

        return {
            "payer, credits": Decimal(balance["available"]),
            "agent, earnings": sum(
                (credits_of(f"agent/{agent}/{kind}/CREDIT") for kind in ("earnings", "granted_earnings")), ZERO
            ),
            "platform, commission": credits_of("platform/commission"),
            "held in escrow": credits_of("escrow"),
        }

    def _show_balances(self, before: dict[str, Decimal], after: dict[str, Decimal]) -> None:
        self._narrator.say(f"\nBalances in CREDIT     {'before':>14} {'after':>14} {'change':>12}")
        for name, amount in before.items():
            change = after[name] - amount
            self._narrator.say(f"  {name:<20} {amount:>14,.2f} {after[name]:>14,.2f} {change:>+12,.2f}")

    def _expect_balances(self, before: dict[str, Decimal], after: dict[str, Decimal], stories: Sequence[Story]) -> None:
        def total(name: str) -> Decimal:
            return sum((Decimal(story.amounts[name]) for story in stories), ZERO)

        expected = {
            "payer, credits": total("refunded") - total("funded"),
            "agent, earnings": total("released"),
            "platform, commission": total("commission"),
            "held in escrow": ZERO,
        }
        for name, change in expected.items():
            self._narrator.expect(f"balance of {name}", after[name] - before[name], change)
        self._narrator.expect("all changes together", sum(after.values()) - sum(before.values()), ZERO)


def _held(escrow: dict[str, Any]) -> str:
    out = sum(Decimal(escrow[f"{name}_amount"]) for name in ("released", "refunded", "commission"))
    return f"held {Decimal(escrow['funded_amount']) - out:>7,.2f}"


def verify_books(database_url: str) -> subprocess.CompletedProcess[str]:
    """Run the proof of the books as an auditor would."""
    return _command("ledger", "verify", "--database-url", database_url)


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def prove_books(narrator: Narrator) -> None:
    """Book revenue and show the proof of the books, and note it when they are damaged."""
    booked = _command("manage", "recognise-revenue", "--database-url", narrator.running.database_url)
    narrator.say("\nRevenue from credits that were used before the last minute (python -m manage recognise-revenue)")
    narrator.say(f"  {(booked.stdout + booked.stderr).strip()}")
    narrator.expect("exit code of recognise-revenue", booked.returncode, 0)
    earned = _command("manage", "books", "profit-and-loss", "--database-url", narrator.running.database_url)
    narrator.say("\nWhat the platform earned (python -m manage books profit-and-loss)")
    for line in (earned.stdout + earned.stderr).strip().splitlines():
        narrator.say(f"  {line}")
    narrator.expect("exit code of books", earned.returncode, 0)
    narrator.say("\nThe books (python -m ledger verify)")
    result = verify_books(narrator.running.database_url)
    for line in (result.stdout + result.stderr).strip().splitlines():
        narrator.say(f"  {line}")
    narrator.expect("exit code of ledger verify", result.returncode, 0)


async def demo(data_dir: Path, say: Say, stories: Sequence[Story] = STORIES, *, with_payments: bool = True) -> int:
    """Tell the stories on the stack of the data directory or a fresh one; the exit code is 1 when anything is off."""
    async with some_stack(data_dir, say) as running:
        base = f"{running.api_url}/api/v1"
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=60) as http:
            narrator = Narrator(running, http, say)
            try:
                await EscrowStories(narrator).tell(stories)
                say(f"\n{len(stories) + 1}. {limit_story.TITLE}")
                await limit_story.LimitStory(narrator).tell()
                say(f"\n{len(stories) + 2}. {purchase_story.TITLE}")
                await purchase_story.PurchaseStory(narrator).tell()
                say(f"\n{len(stories) + 3}. {returns_story.TITLE}")
                await returns_story.ReturnsStory(narrator).tell()
                if with_payments:
                    await _tell_with_payments(narrator, first_number=len(stories) + 4)
            except StoryEnded:
                say("   The story ends here.")
            prove_books(narrator)
    if narrator.problems:
        say("\nThis is off:")
        for problem in narrator.problems:
            say(f"  - {problem}")
        return 1
    say("\nEvery step went as it should, and the books balance.")
    say(f"In a browser: {running.console_url}")
    return 0


async def _tell_with_payments(narrator: Narrator, first_number: int) -> None:
    alerts, webhooks = alert_story.AlertStory(narrator), webhook_story.WebhookStory(narrator)
    parts = (
        (console_story.TITLE, console_story.ConsoleStory(narrator).tell),
        (reputation_story.TITLE, reputation_story.ReputationStory(narrator).tell),
        (marketplace_story.TITLE, marketplace_story.MarketplaceStory(narrator).tell),
        (alert_story.TITLE, alerts.begin),
        (webhook_story.TITLE, webhooks.tell),
        (search_story.TITLE, search_story.SearchStory(narrator).tell),
        (secret_story.TITLE, secret_story.SecretStory(narrator).tell),
        (risk_story.TITLE, risk_story.RiskStory(narrator).tell),
    )
    for number, (title, tell) in enumerate(parts, first_number):
        narrator.say(f"\n{number}. {title}")
        await tell()
    try:
        await PaymentStory(narrator).tell(first_number=first_number + len(parts))
        await webhooks.tell_of_mail()
        await alerts.end()
    finally:
        await webhooks.end()


def main(data_dir: Path) -> int:
    """Run the demo for the command line."""
    return asyncio.run(demo(data_dir, lambda line: print(line, flush=True)))
