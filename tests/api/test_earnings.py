"""Converting what agents have earned in credits: once, no more than there is, with the price and not for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common import accounts
from domain.common.accounts import Account
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.spending import balance, use
from tests.support.books import ISSUANCE

pytestmark = pytest.mark.db

ONE = 1_000_000
DAY = timedelta(days=1)
PATH = "/credits/earnings/conversions"


@pytest.fixture
async def studio(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "finance", "member", "agent", "auditor")


@pytest.fixture
async def payer(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("auditor")


def accounts_of(studio: Tenant) -> dict[str, Account]:
    return {
        "granted": accounts.agent_granted_earnings(studio.agent_id, studio.org_id),
        "own_work": accounts.agent_own_work(studio.agent_id, "CREDIT", studio.org_id),
        "paid": accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id),
    }


async def earn(
    database: Database, payer: Tenant, studio: Tenant, amount: int, kind: str = "granted", **terms: Any
) -> None:
    """Give the payer credits, now or in the past, and pay them to the studio's agent."""
    begun, paid_by = terms.pop("at", datetime.now(UTC)), terms.pop("paid_by", "t")
    wallet, held = accounts.org_credits(payer.org_id), accounts.escrow(new_key(), "CREDIT", payer.org_id)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        steps = [
            (ISSUANCE, wallet, LotTerms(**{"source": LotSource.PROMOTION, **terms})),
            (wallet, held, None),
            (held, accounts_of(studio)[kind], None),
        ]
        for source, destination, lots in steps:
            await ledger.post(
                key=new_key(),
                kind=paid_by,
                source=source,
                destination=destination,
                amount_minor=amount * ONE,
                effective_at=begun,
                lots=lots,
            )


async def defer(database: Database, paid_minor: int, asset: str) -> None:
    """Book what was paid for credits, as their purchase would."""
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=accounts.platform("exchange", asset),
            destination=accounts.platform("deferred_revenue", asset),
            amount_minor=paid_minor,
            effective_at=datetime.now(UTC),
        )


async def convert(caller: Caller, studio: Tenant, key: str | None = None, **body: Any) -> Any:
    return await caller.post(PATH, {"agent_id": studio.agent_id, **body}, key=key or new_key())


async def earnings(studio: Tenant) -> dict[str, tuple[str, str]]:
    (row,) = good(await studio.auditor.get("/credits/earnings"))["data"]
    kinds = ("granted", "own_work", "paid")
    return {kind: (row[kind]["amount"], row[kind]["convertible"]) for kind in kinds if row[kind]["amount"] != "0.00"}


async def test_granted_earnings_are_spent_after_they_were_converted(
    studio: Tenant, payer: Tenant, database: Database
) -> None:
    await earn(database, payer, studio, 30)
    await earn(database, payer, studio, 20, "paid")
    assert await balance(studio.member) == ("0.00", "0.00")
    made = good(await convert(studio.finance, studio, amount="12"), 201)
    assert (made["kind"], made["amount"], made["agent_id"]) == ("granted", "12.00", studio.agent_id)
    rest = good(await convert(studio.owner, studio), 201)
    assert rest["amount"] == "18.00"
    assert await earnings(studio) == {"paid": ("20.00", "20.00")}
    await use(studio.member, amount="25")
    assert await balance(studio.member) == ("5.00", "0.00")
    listed = good(await studio.auditor.get("/credits/transactions?kind=earnings.converted"))["data"]
    assert {row["id"] for row in listed} == {made["id"], rest["id"]}
    assert good(await studio.auditor.get("/credits/stats"))["earned"] == "30.00"
    trail = good(await studio.auditor.get("/audit?action=earnings.convert"))["data"]
    assert [entry["details"] for entry in trail] == [
        {"amount": "18.00", "kind": "granted"},
        {"amount": "12.00", "kind": "granted"},
    ]


async def test_nothing_is_converted_for_a_suspended_organization(
    operator: Caller, studio: Tenant, payer: Tenant, database: Database
) -> None:
    await earn(database, payer, studio, 30)
    key, status = new_key(), f"/organizations/{studio.org_id}"
    first = good(await convert(studio.owner, studio, key, amount="10"), 201)
    good(await operator.post(f"{status}/suspend", {"reason": "A look at it"}))
    refused(await convert(studio.owner, studio), 403, "organization.suspended")
    assert good(await convert(studio.owner, studio, key, amount="10"), 201) == first
    assert await earnings(studio) == {"granted": ("20.00", "20.00")}
    good(await operator.post(f"{status}/resume", {"reason": "Looked at"}))
    assert good(await convert(studio.owner, studio), 201)["amount"] == "20.00"


async def test_pitfall_6_conversion_is_made_once_for_its_key(studio: Tenant, payer: Tenant, database: Database) -> None:
    await earn(database, payer, studio, 30)
    key = new_key()
    first = await convert(studio.owner, studio, key)
    await earn(database, payer, studio, 7)
    async with database.platform() as session:
        connection = await driver_connection(session)
        assert await connection.execute("DELETE FROM idempotency_keys WHERE key = $1", key) == "DELETE 1"
    again = await convert(studio.owner, studio, key)
    assert (again.status_code, good(again, 201)) == (201, good(first, 201))
    refused(await convert(studio.owner, studio, key, amount="1"), 422, "idempotency.conflict")
    assert await balance(studio.member) == ("30.00", "0.00")


async def test_conversions_at_once_never_take_more_than_there_is(
    studio: Tenant, payer: Tenant, database: Database
) -> None:
    await earn(database, payer, studio, 20)
    answers = await asyncio.gather(*(convert(studio.owner, studio, amount="3") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 6 + [402] * 4
    assert await balance(studio.member) == ("18.00", "0.00")
    assert await earnings(studio) == {"granted": ("2.00", "2.00")}
    problem = refused(await convert(studio.owner, studio, amount="3"), 402, "ledger.insufficient_funds")
    assert (problem["needed"], problem["available"]) == ("3.00", "2.00")
    refused(await convert(studio.owner, studio, kind="paid"), 402, "ledger.insufficient_funds")


async def test_converted_credits_keep_price_and_payment_of_the_payer(
    studio: Tenant, payer: Tenant, database: Database
) -> None:
    await defer(database, 500, "NOK")
    bought = {"source": LotSource.PURCHASE, "paid_minor": 500, "paid_asset": "NOK", "payment_id": "pay_of_the_payer"}
    await earn(database, payer, studio, 50, "paid", **bought)
    good(await convert(studio.owner, studio, kind="paid", amount="50"), 201)
    (lot,) = good(await studio.auditor.get("/credits/lots"))["data"]
    assert (lot["source"], lot["cost"], lot["cost_currency"], lot["payment_id"]) == ("earnings", None, None, None)
    (lot,) = good(await payer.auditor.get("/credits/lots"))["data"]
    assert (lot["cost"], lot["payment_id"]) == ("5.00", "pay_of_the_payer")
    async with database.platform() as session:
        kept = await (await driver_connection(session)).fetchrow(
            "SELECT paid, paid_asset, payment_id FROM ledger.lots WHERE org_id = $1 AND lapses", studio.org_id
        )
    assert kept is not None
    assert tuple(kept) == (500, "NOK", "pay_of_the_payer")


@pytest.mark.parametrize(
    ("given", "ends", "days"),
    [(-40, -10, 30), (-40, 20, 30), (-12, -10, 2), (-12, 40, 40)],
    ids=["ended", "would end sooner", "never longer than its term", "ends later"],
)
async def test_pitfall_39_earnings_that_would_end_get_some_days(
    given: int, ends: int, days: int, studio: Tenant, payer: Tenant, database: Database
) -> None:
    now = datetime.now(UTC)
    await earn(database, payer, studio, 5, at=now + given * DAY, expires_at=now + ends * DAY)
    good(await convert(studio.owner, studio), 201)
    (lot,) = good(await studio.auditor.get("/credits/lots"))["data"]
    assert lot["source"] == "earnings"
    assert timedelta(0) <= datetime.fromisoformat(lot["expires_at"]) - (now + days * DAY) < timedelta(minutes=5)


async def test_pitfall_39_expired_earnings_are_not_converted(studio: Tenant, payer: Tenant, database: Database) -> None:
    """An organization's payments to itself get no extension, and do not expire on conversion."""
    now = datetime.now(UTC)
    await earn(database, payer, studio, 5, "own_work", at=now - 9 * DAY, expires_at=now - 7 * DAY)
    await earn(database, payer, studio, 3)
    assert await earnings(studio) == {"granted": ("3.00", "3.00"), "own_work": ("5.00", "0.00")}
    refused(await convert(studio.owner, studio, kind="own_work"), 402, "ledger.insufficient_funds")
    good(await convert(studio.owner, studio), 201)
    assert await balance(studio.member) == ("3.00", "0.00")


@pytest.mark.parametrize("kind", ["granted", "own_work", "paid"])
async def test_earnings_of_a_sale_are_converted_after_the_refund_window(
    kind: str, studio: Tenant, payer: Tenant, database: Database
) -> None:
    """Fourteen days, unless the setting says otherwise; what was earned by work does not wait."""
    now = datetime.now(UTC)
    await earn(database, payer, studio, 20, kind, at=now - 13 * DAY, paid_by="marketplace.sold")
    await earn(database, payer, studio, 7, kind, at=now - 12 * DAY, paid_by="marketplace.sold")
    assert await earnings(studio) == {kind: ("27.00", "0.00")}
    refused(await convert(studio.owner, studio, kind=kind), 402, "ledger.insufficient_funds")
    await earn(database, payer, studio, 5, kind)
    await earn(database, payer, studio, 30, kind, at=now - 15 * DAY, paid_by="marketplace.sold")
    assert await earnings(studio) == {kind: ("62.00", "35.00")}
    (row,) = good(await studio.auditor.get("/credits/earnings"))["data"]
    assert datetime.fromisoformat(row[kind]["next_convertible_at"]) == now + DAY
    refused(await convert(studio.owner, studio, kind=kind, amount="35.01"), 402, "ledger.insufficient_funds")
    assert good(await convert(studio.owner, studio, kind=kind), 201)["amount"] == "35.00"
    assert await earnings(studio) == {kind: ("27.00", "0.00")}


async def test_converted_credits_pay_debts_first(studio: Tenant, payer: Tenant, database: Database) -> None:
    await earn(database, payer, studio, 30)
    debt = accounts.org_debt(studio.org_id, "CREDIT")
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=debt,
            destination=ISSUANCE,
            amount_minor=12 * ONE,
            effective_at=datetime.now(UTC),
        )
    good(await convert(studio.owner, studio, amount="20"), 201)
    assert await balance(studio.member) == ("8.00", "0.00")
    async with database.platform() as session:
        assert (await Ledger(await driver_connection(session)).balance(debt)).posted_minor == 0


async def test_agent_of_another_organization_is_not_found(studio: Tenant, stranger: Tenant, operator: Caller) -> None:
    refused(await convert(stranger.owner, studio), 404, "not_found")
    refused(await studio.owner.post(PATH, {"agent_id": "nobody"}, key=new_key()), 404, "not_found")
    of = f"/credits/earnings?organization_id={studio.org_id}"
    refused(await stranger.owner.get(of), 404, "not_found")
    assert [row["agent_id"] for row in good(await operator.get(of))["data"]] == [studio.agent_id]


async def test_agents_key_sees_only_its_agents_earnings(
    database: Database, payer: Tenant, studio: Tenant, operator: Caller
) -> None:
    second = good(await operator.post("/agents", {"name": "Second", "organization_id": studio.org_id}), 201)["id"]
    await defer(database, 300, "USD")
    await earn(database, payer, studio, 30, "paid", paid_minor=300, paid_asset="USD", source=LotSource.PURCHASE)
    earned = accounts.agent_earnings(second, "USD", studio.org_id)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=accounts.platform("exchange", "USD"),
            destination=earned,
            amount_minor=500,
            effective_at=datetime.now(UTC),
        )
    for path in ("/credits/earnings", "/billing/earnings"):
        assert {row["agent_id"] for row in good(await studio.auditor.get(path))["data"]} == {studio.agent_id, second}
        shown = good(await studio.agent.get(path))
        assert {row["agent_id"] for row in shown["data"]} == {studio.agent_id}
        assert all(row["pending"] == "3.00" for row in shown.get("payable", ()))
        refused(await studio.agent.get(f"{path}?agent_id={second}"), 404, "not_found")


async def test_list_has_pages(studio: Tenant, operator: Caller) -> None:
    good(await operator.post("/agents", {"name": "Second", "organization_id": studio.org_id}), 201)
    first = good(await studio.auditor.get("/credits/earnings?limit=1"))
    following = good(await studio.auditor.get(f"/credits/earnings?limit=1&cursor={first['next_cursor']}"))
    assert first["data"][0]["agent_id"] > following["data"][0]["agent_id"] == studio.agent_id
    assert following["next_cursor"] is None
    one = f"/credits/earnings?agent_id={studio.agent_id}"
    assert good(await studio.auditor.get(one))["data"] == following["data"]


@pytest.mark.parametrize("body", [{"amount": "0"}, {"amount": "-1"}, {"kind": "all"}, {"agent_id": None}])
async def test_request_that_is_none_is_refused(body: dict[str, Any], studio: Tenant) -> None:
    refused(await convert(studio.owner, studio, **body), 422, "request.invalid")
