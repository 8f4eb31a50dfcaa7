"""One payout on the stage: earnings of an agent, taken out as the API does it, and its run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from temporalio.client import WorkflowHandle

from contracts.payouts.payout import PayoutInput, PayoutResult
from contracts.runs import Run, payout_run
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.approval import ApprovalAction
from domain.common.money import CREDIT, amounts_from
from domain.credits.lots import LotSource, LotTerms
from domain.payouts.payable import HoldBack
from domain.payouts.payout.state import Payout
from ledger.gateway import Ledger
from models.marketplace.agent import Agent
from models.payouts.creator_account import CreatorAccountRow
from models.payouts.payout import PayoutEventRow
from models.tenants.organization import Organization
from repositories.payouts import payout as payouts
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from services.payouts import payout as service
from tests.support.looking import again
from tests.support.timelines import timeline
from tests.workflows.approvals import approved
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver

HOLD_BACK = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7))


@dataclass
class PayoutDriver:
    """A payout that is in the books."""

    stage: Stage
    payout: Payout
    actor: Actor

    @property
    def run(self) -> Run:
        return payout_run(PayoutInput(payout_id=self.payout.payout_id), self.payout)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id, result_type=PayoutResult)

    async def begin(self) -> None:
        await reach.start_missing(self.stage.client, self.run)

    async def reaches(self, status: str) -> None:
        await self.begin()
        while (await self.state()).status != status:
            await again()
        # The books are ahead of the run until its task has ended.
        while await self.handle.query("version") < (await self.state()).version:
            await again()

    async def state(self) -> Payout:
        async with self.stage.database.platform() as session:
            row = await payouts.get(session, self.payout.payout_id)
            assert row is not None
            return payouts.state_of(row)

    async def timeline(self) -> Sequence[PayoutEventRow]:
        async with self.stage.database.platform() as session:
            return await timeline(session, PayoutEventRow, payout_id=self.payout.payout_id)

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]

    async def approved(self) -> None:
        """Give it up with the approval of two operators."""
        await approved(self.stage, ApprovalAction.PAYOUT_GIVE_UP, self.payout.payout_id, {})

    async def earnings(self) -> dict[str, int]:
        """Balance of the agent's earnings, by asset."""
        line = self.payout.lines[0]
        account = accounts.agent_earnings(line.agent_id, line.asset, self.payout.org_id)
        async with self.stage.database.platform() as session:
            balance = await Ledger(await driver_connection(session)).balance(account)
        return {line.asset: balance.posted_minor}

    async def owes(self, credits_minor: int) -> None:
        """Create a debt of the organization after its request for the payout."""
        org_id, issuance = self.payout.org_id, accounts.platform("credit_issuance", CREDIT)
        async with self.stage.database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_id("t"),
                kind="t",
                source=accounts.org_debt(org_id, CREDIT),
                destination=issuance,
                amount_minor=credits_minor,
                effective_at=datetime.now(UTC),
                org_id=org_id,
            )


async def taken_out(
    stage: Stage, mode: str = "ok", cents: int = 2990, by_card: PaymentDriver | None = None
) -> PayoutDriver:
    """Let an agent earn 1,000 credits at a price in cents, and request their payout.

    Or have it earn the 100 credits of a payment by card just now, which nothing holds back.
    """
    payer, org, agent, ref = new_id("org"), new_id("org"), new_id("agt"), f"acct_{mode}_{new_id('x')[2:]}"
    actor = Actor(principal="finance", role=Role.FINANCE, org_id=org)
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=30)
    orgs, hold_back, credits = [payer, org], HOLD_BACK, 1_000_000_000
    if by_card is not None:
        payer, long_ago, credits = by_card.terms.org_id, now, by_card.terms.purpose.goods_minor
        orgs, hold_back = [org], HoldBack(usual=timedelta(0), floor=timedelta(0))
    wallet = accounts.org_credits(payer)
    held, earned = accounts.escrow(new_id("esc"), "CREDIT", payer), accounts.agent_earnings(agent, "CREDIT", org)
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=cents, paid_asset="USD")
    money = accounts.platform("exchange", "USD"), accounts.platform("deferred_revenue", "USD")
    issuance = accounts.platform("credit_issuance", "CREDIT")
    async with stage.database.platform() as session:
        for each in orgs:
            await session.execute(insert(Organization).values(id=each, name=each, command_id=each, created_by="test"))
        listing = {"visibility": "public", "pricing_model": "free", "created_by": "test"}
        await session.execute(insert(Agent).values(id=agent, org_id=org, name="bot", command_id=agent, **listing))
        await session.execute(
            insert(CreatorAccountRow).values(
                org_id=org,
                provider="fake",
                ref=ref,
                country="US",
                details_submitted=True,
                transfers_enabled=True,
                payouts_enabled=True,
                tax_profile=True,
                requirements_due=[],
                destination="bank",
                destination_last4="6789",
                destination_currency="USD",
                seen_at=long_ago,
                created_by="test",
            )
        )
        ledger = Ledger(await driver_connection(session))
        steps = [
            (*money, cents, None),
            (issuance, wallet, credits, bought),
            (wallet, held, credits, None),
            (held, earned, credits, None),
        ][0 if by_card is None else 2 :]
        for source, destination, amount, lots in steps:
            await ledger.post(
                key=new_id("k"),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=amount,
                effective_at=long_ago,
                lots=lots,
            )
        payout = await service.request(
            session,
            actor,
            org_id=org,
            currency=None,
            amount_minor=None,
            hold_back=hold_back,
            minimum=amounts_from("10.00"),
            command_id=new_id("cmd"),
            now=datetime.now(UTC),
        )
    return PayoutDriver(stage, payout, actor)
