"""Offering agents and buying them with credits: once, within the spend controls, shared at once, and refunded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest
from sqlalchemy import text

from activities.usage.usage_charges import UsageChargeActivities
from api.app import create_app
from contracts.usage.usage_charges import ChargeUsage, UsageCharging
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.credits import CreditPrice
from domain.common.money import format_amount
from domain.marketplace.referral import ReferralStatus, Rewards
from domain.marketplace.sale import shares_of as shares_of_sale
from domain.payouts.payable import HoldBack
from domain.reputation.traits import TraitKind
from domain.usage.charge import CostRules
from ledger.gateway import Ledger
from repositories.common import listing
from repositories.credits import lot, spend
from repositories.marketplace import marketplace_invariants
from repositories.reputation import organization_trait
from repositories.reputation.reputation import record_facts
from repositories.usage import usage_charge
from runtime.database import Database, driver_connection
from services.marketplace import referral
from services.payouts.payable import shares_of
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused, settings_for
from tests.api.metering import event, import_prices, send, statuses
from tests.api.paying import Written
from tests.api.spending import balance, grant, limit
from tests.conftest import DatabaseUrls
from tests.repositories.test_reputation import about, fact
from tests.support.books import ISSUANCE
from tests.support.cases import for_each
from tests.support.connections import as_owner, connected
from tests.support.locks import accounts_are_locked, somebody_waits
from tests.support.proving import prove
from tests.support.serving import client_of

pytestmark = pytest.mark.db

ONE = 1_000_000
ROLES = ("owner", "member", "finance", "agent", "auditor")


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(
        database_urls, marketplace_invariants.INVARIANTS, spend.INVARIANTS, lot.INVARIANTS, usage_charge.INVARIANTS
    )


@pytest.fixture(scope="module")
async def site(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app for which the operator of the tests makes organizations that have nothing to do with each other."""
    application = create_app(settings_for(database_urls, reputation_registrars="*"))
    async with client_of(application) as client:
        yield client


async def made(new_tenant: NewTenant, site: httpx2.AsyncClient) -> Tenant:
    return (await new_tenant(*ROLES)).through(site)


@pytest.fixture
async def studio(new_tenant: Any, site: httpx2.AsyncClient) -> Tenant:
    return await made(new_tenant, site)


@pytest.fixture
async def buyer(new_tenant: Any, site: httpx2.AsyncClient, database: Database) -> Tenant:
    """An organization that has paid for 100 credits."""
    tenant = await made(new_tenant, site)
    await top_up(database, tenant)
    return tenant


async def top_up(database: Database, tenant: Tenant, **terms: Any) -> None:
    bought = await Written(database, tenant.org_id, **terms).begin()
    bought.there.pay()
    await bought.look()


async def offer(studio: Tenant, caller: Caller | None = None, **changes: Any) -> dict[str, Any]:
    body = {"model": "one_time", "price": "40", **changes}
    path = f"/marketplace/agents/{studio.agent_id}"
    shown: dict[str, Any] = good(await (caller or studio.owner).ask("PUT", path, json=body))
    return shown


async def buy(caller: Caller, studio: Tenant, key: str | None = None, **states: Any) -> httpx2.Response:
    return await caller.post(f"/marketplace/agents/{studio.agent_id}/purchase", states, key=key or new_key())


async def bought(caller: Caller, studio: Tenant, **states: Any) -> dict[str, Any]:
    purchase: dict[str, Any] = good(await buy(caller, studio, **states), 201)["purchase"]
    return purchase


async def give_back(caller: Caller, purchase: dict[str, Any]) -> httpx2.Response:
    return await caller.post(f"/marketplace/purchases/{purchase['id']}/refund", {}, key=new_key())


async def earned(studio: Tenant) -> dict[str, str]:
    (row,) = good(await studio.auditor.get("/credits/earnings"))["data"]
    return {kind: row[kind]["amount"] for kind in ("granted", "paid")}


async def owed(database: Database, org_id: str) -> int:
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        return -(await ledger.balance(accounts.org_debt(org_id, "CREDIT"))).posted_minor


async def lose(database: Database, account: Account, credits: int) -> None:
    """Remove earnings, as a chargeback does."""
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=account,
            destination=ISSUANCE,
            amount_minor=credits * ONE,
            effective_at=datetime.now(UTC),
        )


async def cost_of(database: Database, account: Account) -> int:
    """Return what was paid for what is left in an account, in cents."""
    query = text(
        "SELECT coalesce(sum(l.paid - l.costed), 0) FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id "
        "WHERE a.path = :path AND l.is_open"
    )
    async with database.platform() as session:
        return int(await session.scalar(query, {"path": account.path}) or 0)


async def use(caller: Caller, amount: str) -> httpx2.Response:
    return await caller.post("/credits/use", {"action": "call", "amount": amount}, key=new_key())


async def test_free_agent_is_added_once_and_shows_in_the_library(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio, model="free", price=None)
    first = await bought(buyer.member, studio)
    assert first["has_access"]
    assert await bought(buyer.agent, studio) == first
    assert good(await buyer.auditor.get("/marketplace/library"))["data"] == [first]
    assert good(await studio.auditor.get("/marketplace/library"))["data"] == []


async def actions(caller: Caller, purchase: dict[str, Any]) -> dict[str, Any]:
    listed = good(await caller.get(f"/marketplace/purchases/{purchase['id']}/actions"))["actions"]
    return {each["action"]: each["effect"] or each["reason"]["code"] for each in listed}


async def test_actions_show_the_refund_or_why_there_is_none(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio, included_uses=4)
    purchase = await bought(buyer.owner, studio)
    whole = {"to_buyer": "40.00", "used": "0.00", "currency": "CREDIT", "status": "refunded"}
    assert await actions(buyer.finance, purchase) == {"refund": whole, "cancel": "marketplace.not_renewing"}
    assert await actions(buyer.member, purchase) == {"refund": "auth.forbidden", "cancel": "auth.forbidden"}
    refused(await studio.owner.get(f"/marketplace/purchases/{purchase['id']}/actions"), 404, "not_found")
    await send(buyer.owner, named(studio, -0.00001))
    part = whole | {"to_buyer": "30.00", "used": "10.00"}
    assert (await actions(buyer.finance, purchase))["refund"] == part
    assert good(await give_back(buyer.finance, purchase))["used"] == "10.00"
    assert (await actions(buyer.finance, purchase))["refund"] == "marketplace.refunded"


async def test_library_narrows_by_agent_and_names_it(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio)
    purchase = await bought(buyer.owner, studio)
    listed = good(await buyer.auditor.get(f"/marketplace/library?agent_id={studio.agent_id}"))["data"]
    assert listed == [purchase]
    assert good(await buyer.auditor.get(f"/marketplace/purchases/{purchase['id']}")) == purchase
    assert purchase["agent_name"] == good(await buyer.owner.get(f"/agents/{studio.agent_id}"))["name"]
    assert good(await buyer.auditor.get(f"/marketplace/library?agent_id={buyer.agent_id}"))["data"] == []


async def test_price_in_credits_is_shared_when_it_is_paid(studio: Tenant, buyer: Tenant, database: Database) -> None:
    await offer(studio, price="40.000001")
    key = new_key()
    answers = await asyncio.gather(*(buy(buyer.owner, studio, key) for _ in range(3)), buy(buyer.member, studio))
    ids = {answer.json()["purchase"]["id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    assert good(await buy(buyer.owner, studio, key), 201)["purchase"]["id"] in ids
    assert await balance(buyer.owner) == ("59.999999", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "36.000001"}
    spends = good(await buyer.auditor.get("/credits/usage"))["data"]
    assert [row["action"] for row in spends] == ["marketplace.purchase"]


async def test_granted_credits_are_earned_apart_and_are_never_paid_out(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await grant(operator, buyer.org_id, "30")
    await offer(studio)
    await bought(buyer.owner, studio)
    assert await earned(studio) == {"granted": "30.00", "paid": "6.00"}


async def test_offer_and_purchase_show_the_part_paid_in_granted_credits(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await grant(operator, buyer.org_id, "30")
    shown = await offer(studio)
    path = f"/marketplace/agents/{studio.agent_id}"
    # Only who may buy it: it is about the buyer's credits.
    assert (shown["accepts_granted_credits"], shown["granted_amount"]) == (True, None)
    assert good(await buyer.member.get(path))["granted_amount"] == "30.00"
    # Nine tenths of the price are the seller's, and granted credits are spent first.
    assert (await bought(buyer.owner, studio))["granted_amount"] == "30.00"
    assert good(await buyer.member.get(path))["granted_amount"] == "0.00"


async def refuse_granted(studio: Tenant) -> None:
    path = f"/agents/{studio.agent_id}"
    tag = (await studio.owner.get(path)).headers["etag"]
    body = {"accepts_granted_credits": False}
    changed = await studio.owner.ask("PATCH", path, json=body, headers={"If-Match": tag})
    assert good(changed)["accepts_granted_credits"] is False


@pytest.mark.parametrize("way", ["purchase", "use", "reserve"])
async def test_seller_that_refuses_granted_credits_is_paid_in_bought_ones(
    studio: Tenant, buyer: Tenant, operator: Caller, way: str
) -> None:
    await grant(operator, buyer.org_id, "1000")
    await refuse_granted(studio)
    if way == "purchase":
        await offer(studio)
        assert good(await buyer.member.get(f"/marketplace/agents/{studio.agent_id}"))["granted_amount"] == "0.00"
        await bought(buyer.owner, studio)
    else:
        await priced(studio, page="40")
        await bought(buyer.owner, studio)
        if way == "use":
            good(await call(buyer.member, studio), 201)
        else:
            good(await captured(buyer.member, good(await reserved(buyer.member, studio, quantity=1), 201)))
    assert await earned(studio) == {"granted": "0.00", "paid": "36.00"}
    assert await balance(buyer.owner) == ("1060.00", "0.00")


@pytest.mark.parametrize("way", ["purchase", "use", "reserve"])
async def test_granted_credits_do_not_pay_a_seller_that_refuses_them(
    studio: Tenant, new_tenant: Any, site: httpx2.AsyncClient, operator: Caller, way: str
) -> None:
    buyer = await made(new_tenant, site)
    await grant(operator, buyer.org_id, "1000")
    await refuse_granted(studio)
    if way == "purchase":
        await offer(studio)
        answer = await buy(buyer.owner, studio)
    else:
        await priced(studio, page="40")
        await bought(buyer.owner, studio)
        answer = await (call if way == "use" else reserved)(buyer.member, studio, quantity=1)
    problem = refused(answer, 402, "ledger.insufficient_funds")
    assert "accepts no granted credits" in problem["detail"]
    assert problem["available"] == "0.00"
    assert await balance(buyer.owner) == ("1000.00", "0.00")


async def test_key_of_an_agent_must_state_the_price(studio: Tenant, buyer: Tenant) -> None:
    """The seller may raise the price after the agent has read it."""
    await offer(studio)
    assert refused(await buy(buyer.agent, studio), 422, "request.invalid")["field"] == "price"
    await offer(studio, price="90")
    seen = {"price": "40", "currency": "CREDIT"}
    refused(await buy(buyer.agent, studio, **seen), 409, "marketplace.offer_changed")
    assert await balance(buyer.owner) == ("100.00", "0.00")
    await priced(studio, page="1")
    assert refused(await buy(buyer.agent, studio), 422, "request.invalid")["field"] == "prices"
    first = await bought(buyer.agent, studio, prices={"page": "1"})
    # A purchase that the organization has is returned again without a price.
    assert (await bought(buyer.agent, studio))["id"] == first["id"]


async def test_key_of_an_agent_buys_within_its_spend_controls_only(
    studio: Tenant, buyer: Tenant, database: Database
) -> None:
    await offer(studio)
    await limit(database, buyer.org_id, ("agent", buyer.agent_id), day=39 * ONE)
    answer = refused(await buy(buyer.agent, studio, price="40", currency="CREDIT"), 402, "spend.limit_exceeded")
    assert answer["remaining"] == "39.00"
    assert await balance(buyer.owner) == ("100.00", "0.00")
    assert good(await buyer.auditor.get("/marketplace/library"))["data"] == []
    refused(await buy(buyer.finance, studio), 403, "auth.forbidden")


async def test_without_the_credits_nothing_is_bought(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio, price="100.01")
    assert refused(await buy(buyer.owner, studio), 402, "ledger.insufficient_funds")["needed"] == "100.01"
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_own_related_retired_and_unlisted_agents_are_refused(
    studio: Tenant, buyer: Tenant, new_tenant: Any, database: Database
) -> None:
    refused(await buy(buyer.owner, studio), 404, "not_found")
    await offer(studio)
    refused(await buy(studio.owner, studio), 403, "marketplace.own_agent")
    sister = await made(new_tenant, buyer.owner.http)
    async with database.platform() as session:
        for org_id in (studio.org_id, sister.org_id):
            await organization_trait.record_trait(session, org_id, TraitKind.CARD, f"card of {studio.org_id}")
    refused(await buy(sister.owner, studio), 403, "marketplace.related")
    purchase = await bought(buyer.owner, studio)
    await offer(studio, status="retired")
    refused(await buyer.owner.get(f"/marketplace/agents/{studio.agent_id}"), 404, "not_found")
    assert good(await buyer.owner.get("/marketplace/library"))["data"] == [purchase]
    other = await made(new_tenant, buyer.owner.http)
    refused(await buy(other.owner, studio), 409, "marketplace.retired")


async def test_agent_becomes_private_once_it_is_listed_no_more(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio)
    there, hidden = f"/agents/{studio.agent_id}", {"visibility": "private"}
    whichever = {"If-Match": "*"}
    refused(await studio.owner.ask("PATCH", there, json=hidden, headers=whichever), 409, "agent.listed")
    await offer(studio, status="retired")
    good(await buyer.owner.get(there))
    assert good(await studio.owner.ask("PATCH", there, json=hidden, headers=whichever))["visibility"] == "private"
    refused(await buyer.owner.get(there), 404, "not_found")
    shown = await studio.owner.ask("PATCH", there, json={"visibility": "public"}, headers=whichever)
    assert good(shown)["visibility"] == "public"
    good(await buyer.owner.get(there))


async def test_pitfall_43_circular_payments_between_related_organizations_do_not_count(
    studio: Tenant, buyer: Tenant, database: Database
) -> None:
    """Neither a sale, nor the evidence of a job, nor a referral whose payment is valid."""
    now = datetime.now(UTC)
    async with database.platform() as session:
        await referral.record_referral(session, buyer.org_id, studio.org_id, now=now - timedelta(days=9))
        for org_id in (studio.org_id, buyer.org_id):
            await organization_trait.record_trait(session, org_id, TraitKind.CARD, f"ring of {studio.org_id}")
    await offer(studio)
    refused(await buy(buyer.owner, studio), 403, "marketplace.related")
    job, said = replace(about(studio.agent_id, buyer.org_id), agent_org_id=studio.org_id), fact()
    async with database.platform() as session:
        await record_facts(await driver_connection(session), job, [said])
        rewards = Rewards(referrer_minor=ONE, referred_minor=ONE)
        price = CreditPrice(price=Decimal("0.10"), currency="USD")
        became = await referral.check_referral(
            session, buyer.org_id, rewards, price, window=timedelta(0), exempt=("*",), now=now + timedelta(days=1)
        )
        query = text("SELECT excluded FROM reputation_events WHERE id = :id")
        excluded = await session.scalar(query, {"id": said.id})
    assert (became, excluded) == (ReferralStatus.REFUSED, "related")
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_refund_takes_access_and_shares_back_once(studio: Tenant, buyer: Tenant, operator: Caller) -> None:
    await grant(operator, buyer.org_id, "30")
    await offer(studio)
    purchase = await bought(buyer.owner, studio)
    refused(await give_back(buyer.member, purchase), 403, "auth.forbidden")
    refused(await give_back(studio.owner, purchase), 404, "not_found")
    both = await asyncio.gather(give_back(buyer.finance, purchase), give_back(buyer.owner, purchase))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert await balance(buyer.owner) == ("130.00", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "0.00"}
    (shown,) = good(await buyer.auditor.get("/marketplace/library"))["data"]
    assert (shown["status"], shown["has_access"]) == ("refunded", False)
    again = await bought(buyer.owner, studio)
    assert again["id"] != purchase["id"]
    refused(await give_back(buyer.owner, again), 409, "marketplace.refunded_before")


def named(studio: Tenant, days_ago: float = 0) -> dict[str, Any]:
    """Return an event that names the agent, without a price."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    return event(time=at.isoformat(), data={"agent_id": studio.agent_id})


async def test_refund_of_an_agent_that_is_sold_once_deducts_its_declared_uses(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await grant(operator, buyer.org_id, "10")
    await offer(studio, price="40", included_uses=16)
    await send(buyer.owner, named(studio))
    purchase = await bought(buyer.owner, studio)
    assert purchase["included_uses"] == 16
    # Earlier usage does not count, nor does the present offer.
    await offer(studio, price="40", included_uses=3)
    await send(buyer.owner, named(studio, -0.00001), named(studio, -0.00001), named(studio, -0.00001))
    back = good(await give_back(buyer.owner, purchase))
    assert (back["status"], back["used"]) == ("refunded", "7.50")
    assert await balance(buyer.owner) == ("102.50", "0.00")
    # 90 % of what was used; granted credits were spent first, and come back in proportion.
    shares = await earned(studio)
    assert sum(Decimal(amount) for amount in shares.values()) == Decimal("6.75")
    refused(await give_back(buyer.owner, purchase), 409, "marketplace.refunded")


async def test_pitfall_65_rest_of_a_sale_is_shared_as_a_sale_of_that_amount(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio, price="1.000006", included_uses=2)
    purchase = await bought(buyer.owner, studio)
    await send(buyer.owner, named(studio, -0.00001))
    assert good(await give_back(buyer.owner, purchase))["used"] == "0.500003"
    left = shares_of_sale(500_003, 9_000).creator_minor
    assert (await earned(studio))["paid"] == format_amount(left, "CREDIT")


async def test_used_part_is_shown_only_after_a_refund(
    studio: Tenant, buyer: Tenant, database_urls: DatabaseUrls
) -> None:
    """It is noted before a provider or another operator refuses the refund."""
    await offer(studio)
    purchase = await bought(buyer.owner, studio)
    owner = await asyncpg.connect(database_urls.owner)
    try:
        noted = "UPDATE marketplace_purchases SET used_minor = 9, used_by = '{\"re_refused\": 9}' WHERE id = $1"
        await owner.execute(noted, purchase["id"])
    finally:
        await owner.close()
    assert good(await buyer.owner.get(f"/marketplace/purchases/{purchase['id']}")) == purchase


async def test_refund_of_a_used_up_purchase_is_refused(studio: Tenant, buyer: Tenant) -> None:
    await offer(studio, price="40", included_uses=2)
    purchase = await bought(buyer.owner, studio)
    await send(buyer.owner, *(named(studio, -0.00001) for _ in range(3)))
    refused(await give_back(buyer.owner, purchase), 409, "marketplace.used_up")
    assert good(await buyer.owner.get("/marketplace/library"))["data"][0]["has_access"]
    assert await earned(studio) == {"granted": "0.00", "paid": "36.00"}


async def test_shares_that_were_spent_are_owed_and_paid_by_the_next_sale(
    studio: Tenant, buyer: Tenant, new_tenant: Any, database: Database
) -> None:
    await offer(studio)
    purchase = await bought(buyer.owner, studio)
    conversion = {"agent_id": studio.agent_id, "kind": "paid"}
    refused(
        await studio.owner.post("/credits/earnings/conversions", conversion, key=new_key()),
        402,
        "ledger.insufficient_funds",
    )
    await lose(database, accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id), 30)
    good(await give_back(buyer.owner, purchase))
    assert await balance(buyer.owner) == ("100.00", "0.00")
    assert await owed(database, studio.org_id) == 30 * ONE
    other = await made(new_tenant, buyer.owner.http)
    await top_up(database, other)
    await bought(other.owner, studio)
    assert await owed(database, studio.org_id) == 0
    assert await earned(studio) == {"granted": "0.00", "paid": "6.00"}


async def test_lost_shares_of_the_seller_are_returned_with_their_expiry(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    """Or giving agents back would keep a promotion alive for ever."""
    ends = (datetime.now(UTC) + timedelta(days=20)).replace(microsecond=0)
    promotion = {"organization_id": buyer.org_id, "amount": "10", "source": "promotion", "expires_at": ends.isoformat()}
    good(await operator.post("/credits/grants", promotion, key=new_key()), 201)
    await offer(studio)
    purchase = await bought(buyer.owner, studio)
    await lose(database, accounts.agent_granted_earnings(studio.agent_id, studio.org_id), 9)
    await lose(database, accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id), 26)
    good(await give_back(buyer.owner, purchase))
    lots = good(await buyer.auditor.get("/credits/lots"))["data"]
    left = [(Decimal(lot["remaining"]), lot["expires_at"]) for lot in lots if Decimal(lot["remaining"])]
    assert sum(amount for amount, _ in left) == 110
    assert [datetime.fromisoformat(end) for _, end in left if end is not None] == [ends] * 2
    assert sum(amount for amount, end in left if end is not None) == 10


async def test_spend_of_a_purchase_is_refunded_only_with_the_purchase(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await offer(studio)
    await bought(buyer.owner, studio)
    (row,) = good(await buyer.auditor.get("/credits/usage"))["data"]
    answer = await operator.post(f"/credits/spends/{row['id']}/refunds", {}, key=new_key())
    refused(answer, 409, "spend.purchase")


async def test_refund_gives_the_limit_back_that_the_purchase_used(
    studio: Tenant, buyer: Tenant, database: Database
) -> None:
    await offer(studio)
    await limit(database, buyer.org_id, ("agent", buyer.agent_id), day=50 * ONE)
    purchase = await bought(buyer.agent, studio, price="40", currency="CREDIT")
    refused(await use(buyer.agent, "20"), 402, "spend.limit_exceeded")
    good(await give_back(buyer.owner, purchase))
    (row,) = good(await buyer.auditor.get("/credits/usage"))["data"]
    assert (row["status"], row["refunded"]) == ("refunded", "40.00")
    assert (await bought(buyer.agent, studio, price="40", currency="CREDIT"))["has_access"]


async def test_refund_returns_the_very_lots_that_paid(
    studio: Tenant, buyer: Tenant, new_tenant: Any, database: Database
) -> None:
    """Another buyer's lots stay with the agent: those cost a quarter."""
    other = await made(new_tenant, buyer.owner.http)
    await top_up(database, other, amount_minor=250)
    await offer(studio)
    for each in (other, buyer):
        purchase = await bought(each.owner, studio)
    assert await cost_of(database, accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id)) == 90 + 360
    good(await give_back(buyer.owner, purchase))
    assert await cost_of(database, accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id)) == 90
    assert await cost_of(database, accounts.org_credits(buyer.org_id)) == 1000


async def test_only_operators_set_the_share_and_others_do_not_see_it(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    assert (await offer(studio))["creator_share"] == "0.90"
    body = {"model": "one_time", "price": "40", "creator_share": "1"}
    path = f"/marketplace/agents/{studio.agent_id}"
    refused(await studio.owner.ask("PUT", path, json=body), 403, "auth.forbidden")
    refused(await studio.member.ask("PUT", path, json={"model": "free"}), 403, "auth.forbidden")
    good(await operator.ask("PUT", path, json={**body, "creator_share": "0.5"}))
    assert (await offer(studio))["creator_share"] == "0.50"
    assert good(await buyer.owner.get(path))["creator_share"] is None
    await bought(buyer.owner, studio)
    assert (await earned(studio))["paid"] == "20.00"


async def test_offer_changed_in_the_meantime_is_not_replaced(studio: Tenant, database: Database) -> None:
    path, body = f"/marketplace/agents/{studio.agent_id}", {"model": "one_time", "price": "40"}
    ask = studio.owner.ask
    refused(await ask("PUT", path, json=body, headers={"If-Match": "*"}), 412, "precondition.failed")
    read = (await ask("PUT", path, json=body)).headers["etag"]
    assert (await ask("GET", path)).headers["etag"] == read
    key, mine = new_key(), {"json": {**body, "price": "41"}, "headers": {"If-Match": read}}
    first = await ask("PUT", path, key=key, **mine)
    assert good(first)["price"] == "41.00"
    late = refused(await ask("PUT", path, **mine), 412, "precondition.failed")
    assert late["etag"] == first.headers["etag"] != read
    # A request whose answer was lost succeeds, and is not refused for the version that it created itself.
    await forget(database, key)
    again = await ask("PUT", path, key=key, **mine)
    assert (good(again), again.headers["etag"]) == (good(first), late["etag"])
    # Other changes of the offer count as well, and a request without a version replaces the current offer.
    good(await ask("PUT", f"/agents/{studio.agent_id}/category", json={"category": "research"}))
    tag = {"If-Match": late["etag"]}
    refused(await ask("PUT", path, json=body, headers=tag), 412, "precondition.failed")
    assert good(await ask("PUT", path, json=body))["price"] == "40.00"


async def priced(studio: Tenant, **prices: str) -> dict[str, Any]:
    return await offer(studio, model="usage", price=None, prices=prices)


async def call(caller: Caller, studio: Tenant, key: str | None = None, **more: Any) -> httpx2.Response:
    body = {"action": "page", "payee_agent_id": studio.agent_id, **more}
    return await caller.post("/credits/use", body, key=key or new_key())


async def test_agent_whose_month_a_chargeback_suspends_is_not_paid_again(
    studio: Tenant, buyer: Tenant, database_urls: DatabaseUrls
) -> None:
    """The sale would be refused after the payment, so no payment is started."""
    await offer(studio, model="monthly", price="10", currency="CREDIT")
    purchase = await bought(buyer.owner, studio)
    await offer(studio, model="monthly", price="10", currency="USD")
    suspends = "UPDATE marketplace_purchases SET status = 'suspended', renews_at = NULL, ends_at = $2 WHERE id = $1"
    await as_owner(database_urls, suspends, purchase["id"], datetime.now(UTC) - timedelta(days=1))
    answer = good(await buy(buyer.finance, studio), 201)
    assert (answer["purchase"]["id"], answer["purchase"]["has_access"]) == (purchase["id"], False)
    assert answer["payment"] is None


async def test_agent_is_not_sold_again_while_a_payment_of_an_ended_month_is_charged_back(
    studio: Tenant, buyer: Tenant, database_urls: DatabaseUrls
) -> None:
    await offer(studio, model="monthly", price="10", currency="CREDIT")
    purchase = await bought(buyer.owner, studio)
    database = Database(database_urls.tenant, database_urls.platform)
    made = await Written(database, buyer.org_id, method_ref="pm_1").begin()
    made.there.pay()
    await made.look()
    ref = made.there.dispute()
    await made.look()
    row = "UPDATE marketplace_purchases SET status = 'ended', renews_at = NULL, "
    owner = await asyncpg.connect(database_urls.owner)
    spend = await owner.fetchval("SELECT spend_id FROM marketplace_purchases WHERE id = $1", purchase["id"])
    try:
        await owner.execute(
            f"{row} spend_id = NULL, payment_id = $2 WHERE id = $1", purchase["id"], made.terms.payment_id
        )
        for currency in ("USD", "CREDIT"):
            await offer(studio, model="monthly", price="10", currency=currency)
            refused(await buy(buyer.owner, studio), 409, "marketplace.suspended")
        made.there.close_dispute(ref, won=True)
        await made.look()
        good(await buy(buyer.owner, studio), 201)
    finally:
        await owner.execute(f"{row} spend_id = $2, payment_id = NULL WHERE id = $1", purchase["id"], spend)
        await owner.close()
        await database.close()


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"price": "10", "currency": "CREDIT"}, {"price": "11"}),
        ({"price": "10", "currency": "USD"}, {}),
        # Options of a payment do not matter when the price is paid from credits by now.
        ({"price": "10", "currency": "USD", "provider": "stripe"}, {}),
        ({"model": "one_time", "price": "10", "currency": "CREDIT"}, {"model": "monthly"}),
        ({"price": "10", "currency": "CREDIT"}, {"model": "free", "price": None}),
        ({"price": "10", "currency": "CREDIT"}, {"model": "usage", "price": None, "prices": {"page": "900"}}),
        ({"model": "free"}, {"model": "usage", "price": None, "prices": {"page": "900"}}),
        # A refund deducts by it.
        ({"included_uses": None}, {"included_uses": 1}),
        ({"included_uses": 1000}, {"included_uses": 1}),
    ],
)
async def test_nothing_is_bought_if_the_offer_differs_from_the_one_seen(
    body: dict[str, Any], changes: dict[str, Any], studio: Tenant, buyer: Tenant
) -> None:
    now = {"price": "10", **changes}
    await offer(studio, **now)
    path = f"/marketplace/agents/{studio.agent_id}/purchase"
    refused(await buyer.owner.post(path, body, key=new_key()), 409, "marketplace.offer_changed")
    assert good(await buyer.owner.get("/marketplace/library"))["data"] == []
    shown = good(await buyer.owner.get(f"/marketplace/agents/{studio.agent_id}"))
    seen = {name: shown[name] for name in ("model", "price", "currency", "prices") if shown[name] is not None}
    seen["included_uses"] = shown["included_uses"]
    good(await buyer.owner.post(path, seen, key=new_key()), 201)


@pytest.mark.parametrize("seen", [{"price": "10"}, {"total": "10"}])
async def test_price_that_was_seen_is_of_a_currency(seen: dict[str, str], studio: Tenant, buyer: Tenant) -> None:
    """A creator could turn 10 credits, or 10 JPY, into 10 USD."""
    await offer(studio, price="10")
    path = f"/marketplace/agents/{studio.agent_id}/purchase"
    refused(await buyer.owner.post(path, seen, key=new_key()), 422, "request.invalid")


@pytest.mark.parametrize("model", ["one_time", "usage"])
async def test_closed_buyer_gets_no_credits_refunded(
    model: str, studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    if model == "usage":
        await priced(studio, page="100")
        await bought(buyer.owner, studio)
        used = good(await call(buyer.owner, studio), 201)
        path = f"/credits/spends/{used['id']}/refunds"
    else:
        await offer(studio, price="100")
        purchase = await bought(buyer.owner, studio)
        path = f"/marketplace/purchases/{purchase['id']}/refund"
    good(await operator.post(f"/organizations/{buyer.org_id}/close", {"reason": "left"}))
    refused(await operator.post(path, {}, key=new_key()), 409, "organization.closed")
    if model == "one_time":
        assert (await actions(operator, purchase))["refund"] == "organization.closed"
    assert await earned(studio) == {"granted": "0.00", "paid": "90.00"}


async def test_each_use_is_charged_once_and_shared_when_it_is_charged(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await priced(studio, page="0.000003", hour="5")
    refused(await call(buyer.owner, studio), 403, "marketplace.not_in_library")
    assert (await bought(buyer.owner, studio))["prices"] == {"hour": "5.00", "page": "0.000003"}
    assert await balance(buyer.owner) == ("100.00", "0.00")
    key = new_key()
    answers = await asyncio.gather(*(call(buyer.agent, studio, key, quantity=1_000_003) for _ in range(3)))
    first, *others = [good(answer, 201) for answer in answers]
    assert others == [first, first]
    assert (first["amount"], first["agent_id"]) == ("3.000009", buyer.agent_id)
    assert await balance(buyer.owner) == ("96.999991", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "2.700008"}
    path = f"/marketplace/agents/{studio.agent_id}"
    body = {"model": "usage", "prices": {"page": "1"}, "creator_share": "0.5"}
    good(await operator.ask("PUT", path, json=body))
    assert good(await call(buyer.owner, studio, action="hour"), 201)["amount"] == "5.00"
    assert (await earned(studio))["paid"] == "5.200008"
    assert good(await call(buyer.agent, studio, key, quantity=1_000_003), 201) == first


async def test_prices_of_units_stay_until_their_buyer_accepts_others(studio: Tenant, buyer: Tenant) -> None:
    await priced(studio, page="1")
    await bought(buyer.owner, studio)
    await priced(studio, page="9")
    await bought(buyer.owner, studio)
    assert good(await call(buyer.owner, studio), 201)["amount"] == "1.00"
    path = f"/marketplace/agents/{studio.agent_id}/purchase"
    refused(await buyer.owner.post(path, {"prices": {"page": "8"}}, key=new_key()), 409, "marketplace.offer_changed")
    good(await buyer.owner.post(path, {"prices": {"page": "9"}}, key=new_key()), 201)
    assert good(await call(buyer.owner, studio), 201)["amount"] == "9.00"


async def test_agent_accepts_no_prices_for_its_organization(studio: Tenant, buyer: Tenant) -> None:
    """Other agents would pay them, within limits that are not its own."""
    path = f"/marketplace/agents/{studio.agent_id}/purchase"
    await priced(studio, page="1")
    good(await buyer.agent.post(path, {"prices": {"page": "1"}}, key=new_key()), 201)
    good(await buyer.agent.post(path, {"prices": {"page": "1"}}, key=new_key()), 201)
    await priced(studio, page="90")
    refused(await buyer.agent.post(path, {"prices": {"page": "90"}}, key=new_key()), 403, "auth.forbidden")
    assert good(await call(buyer.member, studio), 201)["amount"] == "1.00"
    good(await buyer.member.post(path, {"prices": {"page": "90"}}, key=new_key()), 201)
    assert good(await call(buyer.agent, studio), 201)["amount"] == "90.00"


async def test_agents_of_a_closed_organization_are_offered_no_more(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await priced(studio, page="1")
    shown = f"/marketplace/agents/{studio.agent_id}"
    assert good(await buyer.owner.get(shown))["status"] == "listed"
    good(await operator.post(f"/organizations/{studio.org_id}/close", {"reason": "left"}))
    refused(await buyer.owner.get(shown), 404, "not_found")
    assert good(await operator.get(shown))["status"] == "retired"
    refused(await buy(buyer.owner, studio), 409, "organization.closed")


@pytest.mark.parametrize(("share", "earns"), [("0", "0.00"), ("1", "40.00")])
async def test_share_may_be_nothing_or_all(
    studio: Tenant, buyer: Tenant, operator: Caller, share: str, earns: str
) -> None:
    await offer(studio, operator, creator_share=share)
    purchase = await bought(buyer.owner, studio)
    assert (await earned(studio))["paid"] == earns
    good(await give_back(buyer.owner, purchase))
    assert (await earned(studio))["paid"] == "0.00"
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_use_that_waits_while_the_agent_leaves_the_library_is_not_charged(
    studio: Tenant, buyer: Tenant, database_urls: DatabaseUrls
) -> None:
    await priced(studio, page="1")
    purchase = await bought(buyer.owner, studio)
    async with connected(database_urls.platform) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('debt:' || $1, 0))", studio.org_id)
        waiting = asyncio.create_task(call(buyer.owner, studio))
        waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        while not await connection.fetchval(waits):
            assert not waiting.done()
        good(await buyer.owner.post(f"/marketplace/purchases/{purchase['id']}/cancel", {}))
    refused(await waiting, 403, "marketplace.not_in_library")
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_use_that_waits_while_its_seller_is_closed_is_not_charged(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    """Earnings of a closed organization could not be paid out."""
    await priced(studio, page="1")
    await bought(buyer.owner, studio)
    async with connected(database_urls.platform) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('debt:' || $1, 0))", studio.org_id)
        closing = asyncio.create_task(operator.post(f"/organizations/{studio.org_id}/close", {"reason": "left"}))
        first = await somebody_waits(database)
        waiting = asyncio.create_task(call(buyer.owner, studio))
        await somebody_waits(database, after=first)
        assert not closing.done()
        assert not waiting.done()
    good(await closing)
    refused(await waiting, 409, "organization.closed")
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_use_fits_into_every_limit_or_is_refused(studio: Tenant, buyer: Tenant, database: Database) -> None:
    await priced(studio, page="10")
    await bought(buyer.agent, studio, prices={"page": "10"})
    await limit(database, buyer.org_id, ("agent", buyer.agent_id), day=25 * ONE)
    answers = await asyncio.gather(*(call(buyer.agent, studio) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 402, 402]
    assert refused(await call(buyer.owner, studio, quantity=9), 402, "ledger.insufficient_funds")["needed"] == "90.00"
    assert await balance(buyer.owner) == ("80.00", "0.00")
    refused(await call(buyer.finance, studio), 403, "auth.forbidden")


async def test_use_that_is_not_sold_is_refused(
    studio: Tenant, buyer: Tenant, new_tenant: Any, database: Database
) -> None:
    refused(await call(buyer.owner, studio), 404, "not_found")
    await offer(studio, model="free", price=None)
    refused(await call(studio.owner, studio), 403, "marketplace.own_agent")
    await bought(buyer.owner, studio)
    refused(await call(buyer.owner, studio), 409, "marketplace.not_metered")
    other = await made(new_tenant, buyer.owner.http)
    await top_up(database, other)
    await priced(studio, page="1")
    purchase = await bought(other.owner, studio)
    for more, field in (({"action": "hour"}, "action"), ({"amount": "1"}, "amount"), ({"action": None}, None)):
        answer = refused(await call(other.owner, studio, **more), 422, "request.invalid")
        assert field is None or answer["field"] == field
    await offer(studio, model="usage", price=None, prices={"page": "1"}, status="retired")
    refused(await call(other.owner, studio), 409, "marketplace.retired")
    await priced(studio, page="1")
    good(await other.owner.post(f"/marketplace/purchases/{purchase['id']}/cancel", {}))
    refused(await call(other.owner, studio), 403, "marketplace.not_in_library")
    await bought(other.owner, studio)
    async with database.platform() as session:
        for org_id in (studio.org_id, other.org_id):
            await organization_trait.record_trait(session, org_id, TraitKind.CARD, f"use of {studio.org_id}")
    refused(await call(other.owner, studio), 403, "marketplace.related")
    assert await balance(other.owner) == ("100.00", "0.00")


async def test_use_is_refunded_whole_with_both_shares_and_refunding_the_agent_refunds_no_use(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    await priced(studio, page="10")
    purchase = await bought(buyer.owner, studio)
    await limit(database, buyer.org_id, day=25 * ONE)
    used = [good(await call(buyer.owner, studio), 201) for _ in range(2)]
    path = f"/credits/spends/{used[0]['id']}/refunds"
    refused(await operator.post(path, {"amount": "3"}, key=new_key()), 422, "request.invalid")
    key = new_key()
    first = good(await operator.post(path, {}, key=key), 201)
    assert good(await operator.post(path, {}, key=key), 201) == first
    refused(await operator.post(path, {}, key=new_key()), 409, "spend.refunded")
    assert await balance(buyer.owner) == ("90.00", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "9.00"}
    good(await call(buyer.owner, studio), 201)
    good(await give_back(buyer.owner, purchase))
    assert await balance(buyer.owner) == ("80.00", "0.00")
    refused(await call(buyer.owner, studio), 403, "marketplace.not_in_library")


async def test_batch_of_uses_names_agents_and_decides_each_separately(
    studio: Tenant, buyer: Tenant, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    await limit(database, buyer.org_id, ("agent", buyer.agent_id), day=35 * ONE)
    page = {"action": "page", "payee_agent_id": studio.agent_id}
    items: list[dict[str, Any]] = [
        {"key": "plain", "action": "call", "amount": "2"},
        {"key": "page", **page, "quantity": 2},
        {"key": "page", **page, "quantity": 2},
        {"key": "hour", **page, "action": "hour"},
        {"key": "beyond", **page, "quantity": 2},
        {"key": "late", "action": "call", "amount": "3"},
    ]
    answers = good(await buyer.agent.post("/credits/use/batch", {"items": items}, key=None))["data"]
    assert [answer["status"] for answer in answers] == [
        *("charged", "charged", "charged", "invalid", "refused", "charged"),
    ]
    assert [answer["replayed"] for answer in answers] == [False, False, True, False, False, False]
    assert (answers[1]["amount"], answers[1]["payee_agent_id"]) == ("20.00", studio.agent_id)
    assert answers[3]["error"]["field"] == "action"
    assert await earned(studio) == {"granted": "0.00", "paid": "18.00"}
    assert await balance(buyer.owner) == ("75.00", "0.00")
    assert good(await call(buyer.agent, studio, "page", quantity=2), 201)["id"] == answers[1]["id"]


async def reserved(caller: Caller, studio: Tenant, key: str | None = None, **more: Any) -> httpx2.Response:
    body = {"action": "page", "payee_agent_id": studio.agent_id, "quantity": 4, **more}
    return await caller.post("/credits/reserve", body, key=key or new_key())


async def captured(caller: Caller, hold: dict[str, Any], key: str | None = None, **body: Any) -> httpx2.Response:
    return await caller.post(f"/credits/reservations/{hold['id']}/capture", body, key=key or new_key())


async def test_reserved_use_is_charged_once_by_its_units_as_it_was_agreed(
    studio: Tenant, buyer: Tenant, operator: Caller
) -> None:
    await priced(studio, page="10")
    refused(await reserved(buyer.agent, studio), 403, "marketplace.not_in_library")
    purchase = await bought(buyer.owner, studio)
    refused(await reserved(buyer.agent, studio, amount="1"), 422, "request.invalid")
    assert refused(await reserved(buyer.agent, studio, quantity=11), 402, "ledger.insufficient_funds")
    key = new_key()
    hold = good(await reserved(buyer.agent, studio, key), 201)
    assert (hold["status"], hold["amount"], hold["payee_agent_id"]) == ("reserved", "40.00", studio.agent_id)
    assert good(await reserved(buyer.agent, studio, key), 201) == hold
    refused(await call(buyer.agent, studio, key, quantity=4), 422, "idempotency.conflict")
    assert await balance(buyer.owner) == ("60.00", "40.00")
    # The agreed prices stay valid when the agent changes.
    body = {"model": "usage", "prices": {"page": "90"}, "creator_share": "0.1", "status": "retired"}
    good(await operator.ask("PUT", f"/marketplace/agents/{studio.agent_id}", json=body))
    good(await buyer.owner.post(f"/marketplace/purchases/{purchase['id']}/cancel", {}))
    for wrong in ({"quantity": 5}, {"amount": "10"}, {"quantity": 1, "final_capture": False}):
        refused(await captured(buyer.agent, hold, **wrong), 422, "request.invalid")
    key = new_key()
    answers = await asyncio.gather(*(captured(buyer.agent, hold, key, quantity=3) for _ in range(3)))
    first, *others = [good(answer) for answer in answers]
    assert others == [first, first]
    assert (first["status"], first["captured"], first["released"]) == ("captured", "30.00", "10.00")
    refused(await captured(buyer.agent, hold, quantity=1), 409, "ledger.hold_ended")
    assert await earned(studio) == {"granted": "0.00", "paid": "27.00"}
    assert await balance(buyer.owner) == ("70.00", "0.00")
    good(await operator.post(f"/credits/spends/{hold['id']}/refunds", {}, key=new_key()), 201)
    assert await earned(studio) == {"granted": "0.00", "paid": "0.00"}
    assert await balance(buyer.owner) == ("100.00", "0.00")


async def test_repeated_use_has_its_first_answer_after_changes_of_seller_and_price(
    studio: Tenant, buyer: Tenant, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    key_id = str(good(await buyer.member.get("/me"))["key_id"])

    async def department(name: str) -> str:
        return str(good(await buyer.owner.post("/departments", {"name": name}), 201)["id"])

    async def attribute(department_id: str) -> None:
        good(await buyer.owner.ask("PUT", f"/api-keys/{key_id}/attribution", json={"department_id": department_id}))

    before, after = await department("before"), await department("after")
    await attribute(before)
    await limit(database, buyer.org_id, ("department", before), day=60 * ONE)
    asked = [
        (call, new_key(), {"department_id": before}),
        (reserved, new_key(), {"department_id": before}),
        (call, new_key(), {"department_id": before, "quantity": 2}),
        (call, new_key(), {"quantity": 2}),
        (reserved, new_key(), {}),
    ]
    first = [await ask(buyer.member, studio, key, **body) for ask, key, body in asked]
    assert [answer.status_code for answer in first] == [201, 201, 402, 402, 402]
    await attribute(after)
    await priced(studio, page="1")
    body = {"prices": {"page": "1"}}
    good(await buyer.owner.post(f"/marketplace/agents/{studio.agent_id}/purchase", body, key=new_key()), 201)

    def shown(answers: list[httpx2.Response]) -> list[dict[str, Any]]:
        return [{name: value for name, value in it.json().items() if name != "request_id"} for it in answers]

    for hidden in (False, True):
        if hidden:
            gone = {"model": "usage", "prices": {"page": "1"}, "status": "retired"}
            good(await studio.owner.ask("PUT", f"/marketplace/agents/{studio.agent_id}", json=gone))
            private = {"json": {"visibility": "private"}, "headers": {"If-Match": "*"}}
            good(await studio.owner.ask("PATCH", f"/agents/{studio.agent_id}", **private))
        again = [await ask(buyer.member, studio, key, **body) for ask, key, body in asked]
        assert [answer.status_code for answer in again] == [201, 201, 402, 402, 402]
        assert shown(again) == shown(first)
    refused(await call(buyer.member, studio), 404, "not_found")
    items = [{"key": asked[0][1], "action": "page", "payee_agent_id": studio.agent_id, "department_id": before}]
    (item,) = good(await buyer.member.post("/credits/use/batch", {"items": items}, key=None))["data"]
    assert (item["replayed"], item["id"]) == (True, first[0].json()["id"])
    assert await balance(buyer.owner) == ("50.00", "40.00")
    for other in ({"department_id": before, "quantity": 3}, {"department_id": before, "run_id": "another"}):
        refused(await call(buyer.member, studio, asked[0][1], **other), 422, "idempotency.conflict")
    refused(await call(buyer.member, studio, asked[0][1], amount="1"), 422, "request.invalid")
    refused(await call(buyer.member, studio, asked[3][1], quantity=3), 422, "idempotency.conflict")


async def test_pitfall_33_refund_of_a_reserved_use_locks_its_hold_before_any_balance(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    hold = good(await reserved(buyer.owner, studio), 201)
    good(await captured(buyer.owner, hold))
    query = "SELECT ledger.lock_reservation(org_id, id) FROM ledger.spends WHERE org_id = :org AND hold_id IS NOT NULL"
    async with database.platform() as session:
        await session.execute(text(query), {"org": buyer.org_id})
        task = asyncio.create_task(operator.post(f"/credits/spends/{hold['id']}/refunds", {}, key=new_key()))
        await somebody_waits(database)
        assert not await accounts_are_locked(session)
    good(await task, 201)


async def test_reserved_use_that_is_released_pays_nobody(studio: Tenant, buyer: Tenant) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    hold = good(await reserved(buyer.owner, studio), 201)
    good(await buyer.owner.post("/credits/release", {"reservation_id": hold["id"]}, key=new_key()))
    refused(await captured(buyer.owner, hold), 409, "ledger.hold_ended")
    assert await balance(buyer.owner) == ("100.00", "0.00")
    plain = good(await buyer.owner.post("/credits/reserve", {"amount": "1"}, key=new_key()), 201)
    refused(await captured(buyer.owner, plain, quantity=1), 422, "request.invalid")


def reported(studio: Tenant, quantity: object = 1, **data: Any) -> dict[str, Any]:
    return event(data={"payee_agent_id": studio.agent_id, "action": "page", "quantity": quantity, **data})


async def charged(database: Database, hours: int = 0) -> None:
    """Charge what was reported of every organization, as the schedule does."""
    at = datetime.now(UTC) + timedelta(hours=hours, seconds=1)
    work = UsageChargeActivities(database, CostRules(granted=CreditPrice(price=Decimal("0.10"), currency="USD")))
    progress = UsageCharging(due_before=at, limit=200)
    while True:
        done = await work.charge_usage(ChargeUsage(after=progress.after, due_before=at, at=at, limit=200))
        if progress.is_last(done):
            return
        progress = progress.plus(done)


async def logged(caller: Caller) -> dict[str, dict[str, Any]]:
    return {row["event_id"]: row for row in good(await caller.get("/usage/logs?limit=200"))["data"]}


async def test_reported_use_is_charged_once_at_the_price_of_its_time_and_shared(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    first, paid = reported(studio, 2, run_id="night"), good(await call(buyer.owner, studio), 201)
    spent = "spd_" + paid["id"].removeprefix("hold_")
    answer = await send(buyer.agent, first, reported(studio, spend_id=spent), first)
    assert statuses(answer) == ["accepted", "accepted", "duplicate"]
    row = (await logged(buyer.owner))[first["id"]]
    assert (row["currency"], row["cost"], row["creator_share"], row["platform_share"]) == ("CREDIT", "20", "18", "2")
    assert (row["charge"]["status"], row["billed_status"]) == ("due", "prepaid")
    # The agreed prices stay valid when the offer has changed before the charge.
    body = {"model": "usage", "prices": {"page": "90"}, "creator_share": "0.1", "status": "retired"}
    good(await operator.ask("PUT", f"/marketplace/agents/{studio.agent_id}", json=body))
    await asyncio.gather(charged(database), charged(database))
    assert await balance(buyer.owner) == ("70.00", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "27.00"}
    charge = (await logged(buyer.owner))[first["id"]]["charge"]
    assert (charge["status"], charge["amount"]) == ("charged", "20.00")
    spend_view = good(await buyer.owner.get(f"/credits/spends/{charge['spend_id']}"))
    assert (spend_view["agent_id"], spend_view["run_id"]) == (buyer.agent_id, "night")
    good(await operator.post(f"/credits/spends/{charge['spend_id']}/refunds", {}, key=new_key()), 201)
    assert await earned(studio) == {"granted": "0.00", "paid": "9.00"}
    assert await balance(buyer.owner) == ("90.00", "0.00")
    assert statuses(await send(buyer.agent, first, reported(studio))) == ["duplicate", "marketplace.retired"]


async def test_closed_seller_earns_nothing_from_what_was_reserved_or_reported_before(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    hold, told = good(await reserved(buyer.owner, studio), 201), reported(studio, 2)
    assert statuses(await send(buyer.owner, told)) == ["accepted"]
    good(await operator.post(f"/organizations/{studio.org_id}/close", {"reason": "left"}))
    refused(await captured(buyer.owner, hold), 409, "organization.closed")
    good(await buyer.owner.post("/credits/release", {"reservation_id": hold["id"]}, key=new_key()))
    await charged(database)
    assert (await logged(buyer.owner))[told["id"]]["charge"]["status"] == "waiting"
    assert statuses(await send(buyer.owner, reported(studio))) == ["organization.closed"]
    assert await balance(buyer.owner) == ("100.00", "0.00")
    async with database.platform() as session:
        of_buyer = text("SELECT detail FROM alerts WHERE kind = 'usage.not_charged' AND org_id = :org")
        [told_why] = await session.scalars(of_buyer, {"org": buyer.org_id})
    assert "suspended or closed" in told_why
    # It is never charged, and tried no more once an operator has voided it.
    charge_id = (await logged(buyer.owner))[told["id"]]["id"]
    body = {"organization_id": buyer.org_id, "reason": "The seller has left."}
    shown = good(await operator.post(f"/usage/charges/{charge_id}/void", body, key=new_key()))
    assert (shown["status"], shown["waits_for"], shown["amount"]) == ("void", None, None)
    async with database.platform() as session:
        assert await usage_charge.due_uses(session, buyer.org_id, datetime.now(UTC) + timedelta(days=9), 10) == []
    await charged(database, hours=200)
    assert (await logged(buyer.owner))[told["id"]]["charge"]["status"] == "void"
    assert await balance(buyer.owner) == ("100.00", "0.00")
    # So it keeps the buyer open no more.
    answer = await operator.post(f"/organizations/{buyer.org_id}/close", {"reason": "left"})
    left = refused(answer, 409, "organization.not_empty")["left"]
    assert "uncharged_usage" not in {each["kind"] for each in left}


@pytest.mark.parametrize("party", ["seller", "buyer"])
async def test_reported_use_waits_while_a_party_is_suspended_and_is_charged_within_the_hour_after(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database, party: str
) -> None:
    stopped = {"seller": studio, "buyer": buyer}[party].org_id
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    before, meanwhile = reported(studio, 2), reported(studio, 3)
    await send(buyer.owner, before)
    good(await operator.post(f"/organizations/{stopped}/suspend", {"reason": "a review"}))
    assert statuses(await send(buyer.owner, meanwhile)) == ["accepted"]
    for hours in (0, 2, 4, 8):
        await charged(database, hours)
    assert {row["charge"]["status"] for row in (await logged(buyer.owner)).values()} == {"waiting"}
    assert await balance(buyer.owner) == ("100.00", "0.00")
    body = {"organization_id": buyer.org_id, "reason": "It waits for long."}
    for row in (await logged(buyer.owner)).values():
        answer = await operator.post(f"/usage/charges/{row['id']}/void", body, key=new_key())
        refused(answer, 409, "usage.not_voidable")
    good(await operator.post(f"/organizations/{stopped}/resume", {}))
    await charged(database, 10)
    assert {row["charge"]["status"] for row in (await logged(buyer.owner)).values()} == {"charged"}
    assert await balance(buyer.owner) == ("50.00", "0.00")


async def test_reported_use_that_does_not_fit_waits_and_nobody_owes_it(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    await priced(studio, page="10")
    await bought(buyer.owner, studio)
    # It is paid with credits, also by an organization that is invoiced for its usage.
    terms = {"mode": "arrears", "volume_discounts": [{"from": "1.00", "discount": "0.5"}]}
    good(await operator.ask("PUT", f"/organizations/{buyer.org_id}/billing-terms", json=terms))
    await limit(database, buyer.org_id, ("agent", buyer.agent_id), day=25 * ONE)
    within, beyond, more = reported(studio, 2), reported(studio, 1), reported(studio, 12)
    await send(buyer.agent, within, beyond)
    await send(buyer.owner, more)
    await charged(database)

    async def states() -> list[tuple[str, str | None]]:
        rows = await logged(buyer.owner)
        found = [rows[each["id"]]["charge"] for each in (within, beyond, more)]
        return [(charge["status"], charge["waits_for"]) for charge in found]

    assert await states() == [("charged", None), ("waiting", "limit"), ("waiting", "credits")]
    assert {row["billed_status"] for row in (await logged(buyer.owner)).values()} == {"prepaid"}
    assert await earned(studio) == {"granted": "0.00", "paid": "18.00"}
    assert await balance(buyer.owner) == ("80.00", "0.00")
    assert await owed(database, buyer.org_id) == 0
    await top_up(database, buyer)
    await charged(database)
    assert (await states())[2] == ("waiting", "credits")
    await charged(database, hours=2)
    assert (await states())[2] == ("charged", None)
    await charged(database, hours=25)
    assert (await states())[1] == ("charged", None)
    assert await balance(buyer.owner) == ("50.00", "0.00")
    assert await earned(studio) == {"granted": "0.00", "paid": "135.00"}
    # Circular payments between organizations are no volume.
    assert good(await buyer.owner.get("/billing/invoices/upcoming"))["volume"] == "0.00"


async def test_reported_use_that_is_not_sold_is_invalid(studio: Tenant, buyer: Tenant) -> None:
    assert statuses(await send(buyer.owner, reported(studio))) == ["not_found"]
    await priced(studio, page="10")
    assert statuses(await send(studio.owner, reported(studio))) == ["marketplace.own_agent"]
    assert statuses(await send(buyer.owner, reported(studio))) == ["marketplace.not_in_library"]
    await bought(buyer.owner, studio)
    wrong = [reported(studio, "0.5"), reported(studio, 0), reported(studio, action="hour")]
    answer = await send(buyer.owner, *wrong, reported(studio, payee_agent_id="studio"))
    assert statuses(answer) == ["request.invalid"] * 3 + ["usage.invalid_event"]


async def listed(studio: Tenant) -> str:
    """Create an agent whose listing has a price by use, which nobody has accepted."""
    body = {"name": "L", "visibility": "public", "pricing": {"model": "usage", "amount": "3", "currency": "CREDIT"}}
    agent_id: str = good(await studio.owner.post("/agents", body), 201)["id"]
    return agent_id


async def test_use_outside_of_the_library_is_refused_until_the_creator_gets_its_share(
    studio: Tenant, buyer: Tenant, operator: Caller, database: Database
) -> None:
    model, type_ = f"round-{studio.agent_id}", f"task-{studio.agent_id}"
    await import_prices(database, model, datetime.now(UTC) - timedelta(days=9), output_tokens="0.5")
    agent, decoy = [await listed(studio) for _ in range(2)]
    meter = {"name": type_, "event_type": type_, "aggregation": "count"}
    made_meter = good(await buyer.owner.post("/usage/meters", meter), 201)
    good(await operator.post(f"/usage/meters/{made_meter['id']}/charge"), 200)
    paid = {"payee_agent_id": agent, "action": "page"}

    def work(**data: Any) -> dict[str, Any]:
        return event(type=type_, data={"agent_id": agent, "model": model, "usage": {"output_tokens": 1}, **data})

    unpaid, sent = work(), work(**paid)
    assert statuses(await send(buyer.owner, unpaid, work(quantity="0.000001"))) == ["usage.agent_unpaid"] * 2
    for each in (agent, decoy):
        body = {"model": "usage", "prices": {"page": "3"}}
        good(await studio.owner.ask("PUT", f"/marketplace/agents/{each}", json=body))
    wrong = ["usage.agent_unpaid", "marketplace.not_in_library"]
    assert statuses(await send(buyer.owner, unpaid, sent)) == wrong
    for each in (agent, decoy):
        good(await buyer.owner.post(f"/marketplace/agents/{each}/purchase", {}, key=new_key()), 201)
    other = work(payee_agent_id=decoy, action="page")
    assert statuses(await send(buyer.owner, unpaid, other, sent)) == [*["usage.agent_unpaid"] * 2, "accepted"]
    refused(await buyer.owner.post("/usage/estimate", {"agent_id": agent}), 422, "usage.agent_unpaid")
    shown = good(await buyer.owner.post("/usage/estimate", {"agent_id": agent, "quantity": "2", **paid}))
    assert (shown["cost"], shown["creator_share"], shown["rated_by"]) == ("6", "5.4", "agent")
    assert (shown["credits"], shown["priced_at"]) == ("6.00", None)
    await charged(database)
    row = (await logged(buyer.owner))[sent["id"]]
    # 90 % are the creator's: the marketplace's share, and not what the commission of escrows leaves.
    assert (row["cost"], row["creator_share"], row["platform_share"]) == ("3", "2.7", "0.3")
    rows = {
        each["agent_id"]: each["paid"]["amount"] for each in good(await studio.auditor.get("/credits/earnings"))["data"]
    }
    assert (rows[agent], await balance(buyer.owner)) == ("2.70", ("97.00", "0.00"))


async def test_agent_that_was_bought_for_a_price_of_which_uses_are_part_is_named_by_them(
    studio: Tenant, buyer: Tenant
) -> None:
    agent = await listed(studio)
    good(await studio.owner.ask("PUT", f"/marketplace/agents/{agent}", json={"model": "free"}))
    named_event = event(data={"agent_id": agent})
    assert statuses(await send(buyer.owner, named_event)) == ["usage.agent_unpaid"]
    good(await buyer.owner.post(f"/marketplace/agents/{agent}/purchase", {}, key=new_key()), 201)
    good(await studio.owner.ask("PUT", f"/marketplace/agents/{agent}", json={"model": "free", "status": "retired"}))
    assert statuses(await send(buyer.owner, named_event)) == ["accepted"]


async def test_refundable_amounts_are_not_paid_out_at_any_level(
    studio: Tenant, buyer: Tenant, new_tenant: Any, database: Database
) -> None:
    await offer(studio)
    await bought(buyer.owner, studio)
    await priced(studio, page="10")
    other = await made(new_tenant, buyer.owner.http)
    await top_up(database, other)
    await bought(other.owner, studio)
    good(await call(other.owner, studio), 201)
    hold_back, now = HoldBack(usual=timedelta(0), floor=timedelta(0), refunds=timedelta(days=14)), datetime.now(UTC)

    async def states(days: int) -> dict[str, int]:
        async with database.platform() as session:
            found = await shares_of(session, studio.org_id, hold_back, now=now + timedelta(days=days))
        return {share.state.value: share.amount_minor // ONE for share in found}

    assert await states(1) == {"available": 9, "pending": 36}
    assert await states(15) == {"available": 45}


@for_each(
    "body, field",
    [
        ({"model": "usage"}, "prices"),
        ({"model": "usage", "price": "1", "prices": {"page": "1"}}, "price"),
        ({"model": "free", "prices": {"page": "1"}}, "prices"),
        ({"model": "usage", "prices": {"page": "0"}}, None),
        ({"model": "free", "price": "1"}, "price"),
        ({"model": "one_time"}, "price"),
        ({"model": "one_time", "price": "0"}, None),
        ({"model": "monthly", "price": "1", "included_uses": 5}, "included_uses"),
        ({"model": "yearly", "price": "1"}, None),
        ({"model": "one_time", "price": "1", "creator_share": "1.1"}, None),
    ],
)
async def test_offer_that_makes_no_sense_is_refused(studio: Tenant, body: dict[str, Any], field: str | None) -> None:
    answer = refused(
        await studio.owner.ask("PUT", f"/marketplace/agents/{studio.agent_id}", json=body), 422, "request.invalid"
    )
    assert field is None or answer["field"] == field


async def test_list_narrows_by_each_filter_and_pages_through_all(
    new_tenant: Any, site: httpx2.AsyncClient, buyer: Tenant, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = f"Zimbel{new_key().replace('-', '')}"
    studios = [await made(new_tenant, site) for _ in range(3)]
    for number, each in enumerate(studios):
        await offer(each, price=str(10 + number % 2), summary=f"plays the {word} {number}")
        good(await each.owner.ask("PUT", f"/agents/{each.agent_id}/category", json={"category": "research"}))
    await offer(studios[0], model="free", price=None, summary=f"the {word.upper()} for nothing")

    async def found(**query: Any) -> list[str]:
        ids: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = good(
                await buyer.owner.get("/marketplace/agents", params={"text": word, "limit": 1, **query, **cursor})
            )
            ids += [row["agent_id"] for row in page["data"]]
            if page["next_cursor"] is None:
                return ids
            cursor = {"cursor": page["next_cursor"]}

    first, second, third = (each.agent_id for each in studios)
    assert await found() == [third, second, first]
    assert await found(text=f"{word} nothing") == [first]
    assert await found(text="?!") == []
    assert await found(model="one_time", category="research") == [third, second]
    assert await found(currency="CREDIT") == [third, second]
    name, match = f"Renamed {new_key()}", {"If-Match": "*"}
    good(await studios[1].owner.ask("PATCH", f"/agents/{second}", json={"name": name}, headers=match))
    assert await found(text=name) == await found(text=f"{name} {word} 1") == [second]
    assert await found(currency="CREDIT", min_price="10.5", max_price="11") == [second]
    assert await found(category="content") == []
    middle = good(await buyer.owner.get(f"/marketplace/agents/{second}"))["created_at"]
    for looked_at in ((1, 2), listing.SCAN_LIMITS):
        monkeypatch.setattr(listing, "SCAN_LIMITS", looked_at)
        assert await found(**{"from": middle}) == [third, second]
        assert await found(to=middle) == [first]
        assert await found(to=middle, currency="CREDIT") == []
        assert await found(**{"from": middle, "currency": "CREDIT", "min_price": "11"}) == [second]
    praise = {"agent_id": second, "event_type": "task_completed", "score_delta": 1}
    good(await operator.post("/reputation/events", praise, key=new_key()), 201)
    assert await found(min_stars="2.5") == [second]
    assert await found(min_stars="5") == []
    refused(await buyer.owner.get("/marketplace/agents", params={"min_stars": "5.1"}), 422, "request.invalid")
    refused(await buyer.owner.get("/marketplace/agents", params={"max_price": "1"}), 422, "request.invalid")
    refused(await buyer.owner.get("/marketplace/agents", params={"cursor": "eA"}), 422, "request.invalid")


@pytest.mark.parametrize(("price", "uses"), [("0.02", 100), ("0.11", 50), ("0.5", 40)])
async def test_creators_share_of_uses_that_cost_a_cent_or_less_adds_up(
    studio: Tenant, buyer: Tenant, database: Database, price: str, uses: int
) -> None:
    await priced(studio, page=price)
    await bought(buyer.owner, studio)
    wallet = accounts.org_credits(buyer.org_id)
    earning = accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id)
    before = await cost_of(database, wallet)
    for _ in range(uses):
        good(await call(buyer.owner, studio), 201)
    paid, worth = before - await cost_of(database, wallet), await cost_of(database, earning)
    assert 0 <= paid * 9 - worth * 10 < 10


async def test_call_reported_by_the_platforms_collector_costs_the_price_of_its_model(
    studio: Tenant, buyer: Tenant, operator: Caller, site: httpx2.AsyncClient, database: Database
) -> None:
    """The metadata written by the caller of a proxy must not replace the cost of the call."""
    model, kind = f"dear-{new_key()}"[:40], f"proxied-{new_key()}"[:40]
    await import_prices(database, model, datetime.now(UTC) - timedelta(days=9), input_tokens="0.001")
    body = {"name": kind, "event_type": kind, "aggregation": "count"}
    meter_id = good(await buyer.owner.post("/usage/meters", body), 201)["id"]
    good(await operator.post(f"/usage/meters/{meter_id}/charge"))
    await priced(studio, page="0.000001")
    await bought(buyer.owner, studio)
    # As `domain.usage.litellm.event_of` makes it of a row whose spend_logs_metadata names the payee: a dollar's worth.
    said = {"payee_agent_id": studio.agent_id, "action": "page", "quantity": 1}
    call = {"model": model, "provider": "openai", "usage": {"input_tokens": 1000, "requests": 1}}
    collected = event(type=kind, source="platform:litellm", data={**call, **said})
    collector, path = Caller(site, operator.token, None), f"/usage/events?organization_id={buyer.org_id}"
    assert statuses(await send(collector, collected, path=path)) == ["accepted"]
    await charged(database)
    available, _ = await balance(buyer.owner)
    assert Decimal(available) <= 90
