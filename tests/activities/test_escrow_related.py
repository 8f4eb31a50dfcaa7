"""A subscription's credits pay strangers, and no organization in the same hand."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import text

from activities.escrow.escrow import EscrowActivities
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.ids import transfer_id
from domain.credits.lots import LotSource, LotTerms
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from domain.payments.payment.purposes.escrow import fulfilment_started
from domain.payments.payment.terms import Purpose, PurposeKind
from domain.reputation.traits import TraitKind
from ledger.gateway import Ledger, Posting
from providers.payments.credits import PAYMENT
from repositories.reputation import organization_trait
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.settings import Settings
from tests.api.paying import Written
from tests.domain.subscription.building import bill, month, seen
from tests.support.books import recognise
from tests.support.subscription_books import Subscribed, subscribed
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db
ONE = 1_000_000
#: As it is by default, of organizations that an operator makes for others.
SETTINGS = Settings(reputation_registrars="*")


class Hiring:
    """An organization that pays 299.00 for the largest plan, and hires an agent for all of its 10,000 credits."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.activities = EscrowActivities(database, sharing=SETTINGS.sharing, evidence=SETTINGS.evidence_policy)

    async def begin(self, shared: TraitKind | None) -> "Hiring":
        self.job: Job = await Stage(None, None, self.database, None).award(balance=ONE, amount_minor=10_000 * ONE)
        terms = self.job.terms
        self.plan: Subscribed = await subscribed(self.database, "enterprise", org_id=terms.payer_org_id)
        await self.plan.look(seen(bill(0, 29_900, month(0))))
        async with self.database.platform() as session:
            for org_id in (terms.payer_org_id, terms.payee_org_id) if shared else ():
                await organization_trait.record_trait(session, org_id, shared, f"{shared} of {terms.payer_org_id}")
            # It was so before the contract was made.
            await session.execute(
                text(
                    "UPDATE organization_traits SET last_seen = last_seen - interval '1 day' WHERE org_id = ANY (:orgs)"
                ),
                {"orgs": [terms.payer_org_id, terms.payee_org_id]},
            )
            # The granted credit is not part of it.
            await Ledger(await driver_connection(session)).post(
                key=new_id("test"),
                kind="t",
                source=accounts.org_credits(terms.payer_org_id),
                destination=accounts.platform("credit_redemption", "CREDIT"),
                amount_minor=ONE,
                effective_at=self.now,
                lots=LotTerms(only="granted"),
            )
        assert await self.record(rules.opened(terms, actor=self.job.procurement, now=self.now)) is None
        return self

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def record(self, outcome: Outcome) -> str | None:
        recorded = await self.activities.record_event(await message_of(self.job, outcome, new_id("cmd")))
        return None if recorded.declined is None else recorded.declined.detail

    async def fund(self) -> str | None:
        state = await self.job.state()
        return await self.record(rules.fund(state, actor=self.job.procurement, source="credits", now=self.now))

    async def fund_by_payment(self) -> str | None:
        """Pay the escrow with credits by way of a payment, and fund it from that."""
        terms = self.job.terms
        money = Purpose(
            kind=PurposeKind.ESCROW,
            goods_asset="CREDIT",
            goods_minor=terms.amount_minor,
            escrow_id=terms.escrow_id,
            contract_id=terms.contract_id,
        )
        paid = Written(
            self.database,
            terms.payer_org_id,
            provider="credits",
            amount_minor=terms.amount_minor,
            currency="CREDIT",
            purpose=money,
        )
        await paid.begin()
        async with self.database.platform() as session:
            moved = await Ledger(await driver_connection(session)).post(
                key=new_id("test"),
                kind=PAYMENT,
                source=accounts.org_credits(terms.payer_org_id),
                destination=accounts.provider_clearing("credits", "CREDIT"),
                amount_minor=terms.amount_minor,
                effective_at=self.now,
                # The provider's statement lists every such transfer, also to other tests of this database.
                metadata={"payment_id": paid.terms.payment_id},
            )
        paid.there.ref = transfer_id(moved.transfer_id)
        paid.there.pay(fee=0)
        paid.there.movements = [replace(each, key=paid.there.ref) for each in paid.there.movements]
        await paid.look()
        assert paid.payment is not None
        await paid._write(fulfilment_started(paid.payment, at=self.now))
        source, state = rules.payment_source(paid.terms.payment_id), await self.job.state()
        actor = Actor(principal="payments", role=Role.OPERATOR)
        return await self.record(
            rules.fund(state, actor=actor, source=source, now=self.now, amount_minor=terms.amount_minor)
        )

    async def release(self) -> None:
        state = await self.job.state()
        made = rules.deliver(state, actor=self.job.bot, artifacts=(), note=None, milestone=None, now=self.now)
        assert await self.record(made) is None
        state = await self.job.state()
        judged = rules.validate(state, actor=self.job.validator, score_e4=10_000, note=None, now=self.now)
        assert await self.record(judged) is None

    async def payable(self) -> tuple[int, int]:
        """Return what the agent can be paid out, and what its credits are worth in money."""
        terms = self.job.terms
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            await recognise(connection)
            earned = accounts.agent_earnings(terms.agent_id, "CREDIT", terms.payee_org_id)
            found = await connection.fetchrow(
                "SELECT coalesce(sum(l.remaining), 0) AS credits, coalesce(sum(l.paid - l.costed), 0) AS money "
                "FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1",
                earned.path,
            )
        assert found is not None
        return int(found["credits"]) // ONE, int(found["money"])

    async def evidence(self, connection: asyncpg.Connection) -> set[tuple[str | None, bool]]:
        rows = await connection.fetch(
            "SELECT excluded, weight_e6 > 0 AS counts FROM reputation_events WHERE agent_id = $1",
            self.job.terms.agent_id,
        )
        return {(row["excluded"], row["counts"]) for row in rows}


async def test_strangers_are_paid_their_share_of_a_plans_credits_and_earn_reputation(database: Database) -> None:
    hiring = await Hiring(database).begin(None)
    assert await hiring.fund() is None
    await hiring.release()
    # 95 % of the 239.20 that are for credits.
    assert await hiring.payable() == (9_500, 22_724)
    async with database.platform() as session:
        assert await hiring.evidence(await driver_connection(session)) == {(None, True)}


@pytest.mark.parametrize("shared", [TraitKind.CARD, TraitKind.PAYOUT_ACCOUNT, TraitKind.TAX_ID])
async def test_subscriber_that_hires_itself_is_not_paid_out(database: Database, shared: TraitKind) -> None:
    hiring = await Hiring(database).begin(shared)
    assert await hiring.fund() == (
        "Credits of a subscription do not pay a related organization, and the others do not suffice."
    )
    assert (await hiring.payable(), await hiring.plan.credits()) == ((0, 0), 10_000)
    # Credits that were bought by themselves may be paid, and earn no reputation.
    async with database.platform() as session:
        money, deferred = (accounts.platform(name, "USD") for name in ("exchange", "deferred_revenue"))
        bought = LotTerms(source=LotSource.PURCHASE, paid_minor=69_980, paid_asset="USD")
        wallet = accounts.org_credits(hiring.job.terms.payer_org_id)
        await Ledger(await driver_connection(session)).post_compound(
            key=new_id("test"),
            kind="t",
            postings=[
                Posting(money, deferred, 69_980),
                Posting(accounts.platform("credit_issuance", "CREDIT"), wallet, 10_000 * ONE, lots=bought),
            ],
            reference=None,
            org_id=None,
            effective_at=hiring.now,
        )
    assert await hiring.fund() is None
    await hiring.release()
    assert (await hiring.payable(), await hiring.plan.credits()) == ((9_500, 66_481), 10_000)
    async with database.platform() as session:
        assert await hiring.evidence(await driver_connection(session)) == {("related", False)}


async def test_credits_of_a_plan_do_not_reach_a_related_organization_by_a_payment_either(database: Database) -> None:
    hiring = await Hiring(database).begin(TraitKind.CARD)
    assert await hiring.fund_by_payment() == (
        "Credits of a subscription do not pay a related organization, and the others do not suffice."
    )
    assert await hiring.payable() == (0, 0)


async def test_payment_with_credits_of_a_plan_funds_the_escrow_of_a_stranger(database: Database) -> None:
    hiring = await Hiring(database).begin(None)
    assert await hiring.fund_by_payment() is None
    await hiring.release()
    assert await hiring.payable() == (9_500, 22_724)
