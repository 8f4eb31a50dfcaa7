"""Earnings and payouts over HTTP: what can leave, to whom, once, and never more than came in."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from temporalio.testing import ActivityEnvironment

from activities.payouts.recovery import RecoveryActivities
from api.v1.statements.schemas import totals
from contracts.common.batch import DuePage
from domain.billing.document.content import Party
from domain.common import accounts
from domain.common.ids import command_id
from domain.credits.lots import LotSource
from domain.payouts.payable import HoldBack
from domain.payouts.payout.commands import failed, with_receipt
from domain.reputation.levels import Level
from ledger.gateway import Ledger
from models.payments.payment import PaymentBalanceTransaction
from models.tenants.api_key import ApiKey
from repositories.payouts import payout as payouts, statement as statements
from runtime.database import Database, driver_connection
from services.payouts import payout as payout_service, statement
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.test_creators import OTHER_BANK, Bureau, bureau as bureau
from tests.api.test_earnings import earn
from tests.api.test_reputation_levels import rank, without_levels
from tests.conftest import DatabaseUrls
from tests.support.documents import selling
from tests.support.proving import prove_about

pytestmark = pytest.mark.db

OLD = timedelta(days=30)
BULK = {"source": LotSource.PURCHASE, "paid_asset": "USD"}


@pytest.fixture
async def studio(bureau: Bureau, new_tenant: NewTenant) -> Tenant:
    """An organization that can be paid out."""
    made = await new_tenant("owner", "finance", "admin", "agent", "auditor")
    made.callers = {role: bureau.at(caller) for role, caller in made.callers.items()}
    await bureau.connected(made)
    await bureau.noticed(made)
    return made


@pytest.fixture
async def payer(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("auditor")


async def earned(
    database: Database, payer: Tenant, studio: Tenant, credits: int, cents: int, *, age: timedelta = OLD, **terms: Any
) -> None:
    """Let the studio earn credits, for which the payer paid some cents, some time ago."""
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=accounts.platform("exchange", "USD"),
            destination=accounts.platform("deferred_revenue", "USD"),
            amount_minor=cents,
            effective_at=datetime.now(UTC) - age,
        )
    await earn(database, payer, studio, credits, "paid", at=datetime.now(UTC) - age, paid_minor=cents, **BULK, **terms)


async def pay_out(caller: Caller, key: str | None = None, **body: Any) -> Any:
    return await caller.post("/billing/payouts", body, key=key or new_key())


async def payable(studio: Tenant) -> dict[str, str]:
    shown = good(await studio.auditor.get("/billing/earnings"))["payable"]
    return {} if not shown else {name: shown[0][name] for name in ("available", "pending", "frozen")}


async def test_giving_up_a_payout_can_be_repeated_after_a_lost_response(
    database: Database, payer: Tenant, studio: Tenant, bureau: Bureau, operator: Caller
) -> None:
    await earned(database, payer, studio, 100, 1000)
    made, key = good(await pay_out(studio.owner), 201), new_key()
    async with database.platform() as session:
        principal = await session.scalar(
            select(ApiKey.principal).where(ApiKey.id == f"key_{(operator.token or '').split('_')[1]}")
        )
        row = await payouts.get(session, made["id"])
        assert row is not None
        # As its run writes it, before the process of the request died.
        given = command_id(None, principal or "", key)
        seen, now = payouts.state_of(row), datetime.now(UTC)
        outcome = with_receipt(failed(seen, code="payout.given_up", detail="An operator gave it up."), given)
        returned = await payout_service.return_to_earnings(session, seen, now=now)
        await payouts.write(session, outcome, command_id=given, transfer_id=returned, at=now)
    path, wish = f"/billing/payouts/{made['id']}/give-up", {"reason": "It was not sent."}
    assert good(await bureau.at(operator).post(path, wish, key=key))["status"] == "failed"
    refused(await bureau.at(operator).post(path, wish, key=new_key()), 409, "payout.wrong_state")


async def test_pitfall_40_credits_are_paid_out_at_their_price(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    """10,000 credits in bulk at $0.03 are worth $1,000 at the price of one; they leave for $299."""
    await earned(database, payer, studio, 10_000, 29_900)
    assert (await payable(studio))["available"] == "299.00"
    made = good(await pay_out(studio.owner), 201)
    assert (made["amount"], made["currency"], made["status"]) == ("299.00", "USD", "requested")
    assert [(line["asset"], line["amount"], line["paid"]) for line in made["lines"]] == [
        ("CREDIT", "10000.00", "299.00")
    ]
    assert (await payable(studio)) == {}
    (row,) = good(await studio.auditor.get("/billing/earnings"))["data"]
    assert (row["earned"], row["paid_out"], row["available"]) == ("10000.00", "10000.00", "0.00")


async def test_earnings_are_held_back_by_age_and_by_no_less_than_the_floor(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 100, 1000, age=timedelta(days=13))
    await earned(database, payer, studio, 200, 2000, age=timedelta(days=15))
    assert await payable(studio) == {"available": "20.00", "pending": "10.00", "frozen": "0.00"}
    refused(await pay_out(studio.owner, amount="20.01", currency="USD"), 409, "payout.above_available")
    usual = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7))
    days = [usual.of(Level(name="a", hold_back_days=each)).days for each in (None, 10, 0, 30)]
    assert days == [14, 10, 7, 30]


async def test_earnings_are_held_back_by_the_level_of_the_agent_that_earned_them(
    database: Database, database_urls: DatabaseUrls, payer: Tenant, studio: Tenant, operator: Caller
) -> None:
    await earned(database, payer, studio, 100, 1000, age=timedelta(days=5))
    await earned(database, payer, studio, 200, 2000, age=timedelta(days=9))
    await earned(database, payer, studio, 400, 4000, age=timedelta(days=15))
    levels = [
        {"name": "new", "hold_back_days": 20},
        {"name": "known", "from_score": "5", "least_evidence": 5},
        {"name": "trusted", "from_score": "8", "least_evidence": 10, "hold_back_days": 1},
    ]
    assert await payable(studio) == {"available": "40.00", "pending": "30.00", "frozen": "0.00"}
    try:
        good(await operator.ask("PUT", "/reputation/levels", json={"levels": levels}))
        assert await payable(studio) == {"available": "0.00", "pending": "70.00", "frozen": "0.00"}
        await rank(database_urls, studio.agent_id, 20, 30)
        # The level says a day, and the floor is a week.
        assert await payable(studio) == {"available": "60.00", "pending": "10.00", "frozen": "0.00"}
    finally:
        await without_levels(database_urls)


async def test_earnings_of_a_time_or_of_days_are_those_earned_then(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 100, 1000, age=timedelta(days=13))
    await earned(database, payer, studio, 200, 2000, age=timedelta(days=15))
    middle = datetime.now(UTC) - timedelta(days=14)
    for asked, expected in (
        ({}, "300.00"),
        ({"from": middle.isoformat()}, "100.00"),
        ({"to": middle.isoformat()}, "200.00"),
        ({"start_date": str(middle.date()), "to": datetime.now(UTC).isoformat()}, "100.00"),
    ):
        answer = await studio.auditor.get("/billing/earnings", params=asked)
        assert [row["earned"] for row in good(answer)["data"]] == [expected]
        answer = await studio.auditor.get("/billing/earnings", params=asked, headers={"Accept": "text/csv"})
        assert [row["earned"] for row in csv.DictReader(io.StringIO(answer.text))] == [expected]
    twice = {"from": middle.isoformat(), "start_date": str(middle.date())}
    problem = refused(await studio.auditor.get("/billing/earnings", params=twice), 422, "request.invalid")
    assert problem["field"] == "start_date"


async def test_granted_credits_and_own_work_are_never_paid_out(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    long_ago = datetime.now(UTC) - OLD
    await earn(database, payer, studio, 500, "granted", at=long_ago)
    await earn(database, payer, studio, 500, "own_work", at=long_ago)
    await earn(database, payer, studio, 500, "paid", at=long_ago)
    assert await payable(studio) == {}
    (row,) = good(await studio.auditor.get("/billing/earnings"))["data"]
    assert row["granted"] == "1000.00"
    refused(await pay_out(studio.owner), 409, "payout.below_minimum")


async def test_open_chargeback_freezes_earnings_from_its_payment(
    bureau: Bureau, database: Database, payer: Tenant, studio: Tenant
) -> None:
    from tests.api.paying import Written

    paid = await Written(bureau.deps.database, studio.org_id).begin()
    paid.there.pay()
    await paid.look()
    await earned(database, payer, studio, 100, 1000, payment_id=paid.terms.payment_id)
    await earned(database, payer, studio, 200, 2000)
    assert (await payable(studio))["available"] == "30.00"
    paid.there.dispute()
    await paid.look()
    assert await payable(studio) == {"available": "20.00", "pending": "0.00", "frozen": "10.00"}
    assert good(await pay_out(studio.owner), 201)["amount"] == "20.00"


async def test_amount_is_taken_from_the_oldest_lots_and_the_rest_stays(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 300, 900, age=timedelta(days=40))
    await earned(database, payer, studio, 300, 3001, age=timedelta(days=30))
    made = good(await pay_out(studio.finance, amount="12.34", currency="USD"), 201)
    assert made["amount"] == "12.34"
    assert (await payable(studio))["available"] == "26.67"
    assert good(await pay_out(studio.finance), 201)["amount"] == "26.67"


async def test_second_request_of_a_key_gets_the_first_answer_and_two_keys_never_more_than_there_is(
    database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 100, 3000)
    key, body = new_key(), {"amount": "20.00", "currency": "USD"}
    first = good(await pay_out(studio.owner, key, **body), 201)
    assert good(await pay_out(studio.owner, key, **body), 201) == first
    await earned(database, payer, studio, 100, 3000)
    answers = await asyncio.gather(*(pay_out(studio.owner, **body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    assert len(good(await studio.auditor.get("/billing/payouts"))["data"]) == 3


@pytest.mark.parametrize("other", [{"amount": "10.00", "currency": "USD"}, {"currency": "USD"}, {}])
async def test_forgotten_key_finds_its_payout_and_is_refused_for_another_request(
    database: Database, payer: Tenant, studio: Tenant, other: dict[str, str]
) -> None:
    await earned(database, payer, studio, 100, 3000)
    key, body = new_key(), {"amount": "30.00", "currency": "USD"}
    first = good(await pay_out(studio.owner, key, **body), 201)
    await forget(database, key)
    assert good(await pay_out(studio.owner, key, **body), 201)["id"] == first["id"]
    await forget(database, key)
    refused(await pay_out(studio.owner, key, **other), 422, "idempotency.conflict")


@pytest.mark.parametrize("currency", ["CREDIT", "BTC"])
async def test_only_money_is_paid_out(database: Database, payer: Tenant, studio: Tenant, currency: str) -> None:
    await earned(database, payer, studio, 100, 3000)
    for more in ({}, {"amount": "20"}):
        problem = refused(await pay_out(studio.owner, currency=currency, **more), 422, "request.invalid")
        assert problem["field"] == "currency"
    assert (await payable(studio))["available"] == "30.00"


async def test_changed_destination_is_seen_although_its_event_is_late(
    bureau: Bureau, database: Database, payer: Tenant, studio: Tenant
) -> None:
    await earned(database, payer, studio, 100, 3000)
    account = await bureau.account(studio)
    await bureau.control("account", account=account.ref, number=OTHER_BANK)
    refused(await pay_out(studio.owner), 409, "payout.destination_held")
    preview = good(await studio.owner.get("/billing/payouts/preview"))
    assert (preview["refused"], preview["payable"][0]["available"]) == ("payout.destination_held", "30.00")


async def test_preview_shows_amount_and_destination(
    database: Database, payer: Tenant, studio: Tenant, new_tenant: NewTenant, bureau: Bureau
) -> None:
    await earned(database, payer, studio, 100, 3000)
    preview = good(await studio.owner.get("/billing/payouts/preview"))
    assert (preview["refused"], preview["account"]["destination_last4"]) == (None, "6789")
    nobody = bureau.at((await new_tenant("owner")).owner)
    assert good(await nobody.get("/billing/payouts/preview"))["refused"] == "payout.no_account"
    refused(await pay_out(nobody), 409, "payout.no_account")


async def test_payouts_are_listed_in_pages(database: Database, payer: Tenant, studio: Tenant) -> None:
    await earned(database, payer, studio, 100, 3000)
    made = [good(await pay_out(studio.owner, amount="10.00", currency="USD"), 201)["id"] for _ in range(3)]
    first = good(await studio.auditor.get("/billing/payouts?limit=2"))
    rest = good(await studio.auditor.get(f"/billing/payouts?limit=2&cursor={first['next_cursor']}"))
    assert [row["id"] for row in (*first["data"], *rest["data"])] == made[::-1]
    assert rest["next_cursor"] is None
    assert good(await studio.auditor.get(f"/billing/payouts/{made[2]}")) == first["data"][0]
    refused(await payer.auditor.get(f"/billing/payouts/{made[2]}"), 404, "not_found")


async def test_schedule_shows_its_next_day(studio: Tenant) -> None:
    path = "/billing/payouts/schedule"
    assert good(await studio.auditor.get(path))["interval"] == "manual"
    shown = good(await studio.finance.ask("PUT", path, json={"interval": "monthly", "monthly_anchor": 31}))
    assert shown["next_on"] > datetime.now(UTC).date().isoformat()
    assert good(await studio.auditor.get(path)) == shown
    wrong = refused(await studio.owner.ask("PUT", path, json={"interval": "weekly"}), 422, "request.invalid")
    assert wrong["field"] == "weekly_anchor"
    assert good(await studio.owner.ask("PUT", path, json={"interval": "manual"}))["next_on"] is None


async def test_verify_checks_accounts_of_payouts(
    database: Database, payer: Tenant, studio: Tenant, database_urls: DatabaseUrls
) -> None:
    await earned(database, payer, studio, 7, 1001)
    good(await pay_out(studio.owner), 201)
    await prove_about(database_urls, "payout")


async def test_lost_chargeback_takes_earnings_and_stops_payouts_until_its_debt_is_paid(
    bureau: Bureau, database: Database, payer: Tenant, studio: Tenant
) -> None:
    from tests.api.paying import Written

    paid = await Written(bureau.deps.database, payer.org_id).begin()
    paid.there.pay(fee=0)
    await paid.look()
    held = accounts.escrow(new_key(), "CREDIT", payer.org_id)
    earnings = accounts.agent_earnings(studio.agent_id, "CREDIT", studio.org_id)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for source, destination in ((accounts.org_credits(payer.org_id), held), (held, earnings)):
            await ledger.post(
                key=new_key(),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=100_000_000,
                effective_at=datetime.now(UTC) - OLD,
            )
    converted = {"agent_id": studio.agent_id, "amount": "60", "kind": "paid"}
    good(await studio.owner.post("/credits/earnings/conversions", converted, key=new_key()), 201)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert (await payable(studio))["frozen"] == "4.00"
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    acts = RecoveryActivities(bureau.deps.database, bureau.payouts, hold_back=bureau.deps.settings.hold_back)
    await ActivityEnvironment().run(acts.recover, DuePage(now=datetime.now(UTC), after="", limit=500))
    assert await payable(studio) == {}
    assert refused(await pay_out(studio.owner), 409, "payout.debt_open")["owed"] == "60.00"
    await earned(database, payer, studio, 100, 3000)
    alerts = good(await studio.owner.get("/alerts?kind=earnings.recovered"))["data"]
    assert "100.00 CREDIT are clawed back" in alerts[0]["detail"]


async def test_debtor_in_one_currency_is_paid_out_in_none(database: Database, payer: Tenant, studio: Tenant) -> None:
    await earned(database, payer, studio, 100, 3000)
    debt, elsewhere = accounts.org_debt(studio.org_id, "EUR"), accounts.platform("exchange", "EUR")

    async def post(source: accounts.Account, destination: accounts.Account) -> None:
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_key(),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=500,
                effective_at=datetime.now(UTC),
            )

    await post(debt, elsewhere)
    refusal = refused(await pay_out(studio.owner), 409, "payout.debt_open")
    assert (refusal["owed"], refusal["currency"]) == ("5.00", "EUR")
    assert good(await studio.owner.get("/billing/payouts/preview"))["refused"] == "payout.debt_open"
    # Nor does it leave as credits that somebody else is paid with.
    paid = {"agent_id": studio.agent_id, "kind": "paid"}
    conversions = "/credits/earnings/conversions"
    refused(await studio.owner.post(conversions, paid, key=new_key()), 409, "payout.debt_open")
    await post(elsewhere, debt)
    assert good(await pay_out(studio.owner), 201)["amount"] == "30.00"


async def test_statement_of_a_month_that_no_moment_may_have_is_refused(studio: Tenant) -> None:
    for path in ("9999-12", "9999-12/pdf", "0000-01"):
        refused(await studio.auditor.get(f"/billing/statements/{path}"), 422, "request.invalid")


async def test_statement_of_a_month_adds_up_and_never_changes(
    bureau: Bureau, database: Database, database_urls: DatabaseUrls, payer: Tenant, studio: Tenant
) -> None:
    from tests.api.paying import paying_app

    await earned(database, payer, studio, 100, 3000, age=timedelta(days=100))
    month = f"{datetime.now(UTC) - timedelta(days=100):%Y-%m}"
    this = f"{datetime.now(UTC):%Y-%m}"
    good(await pay_out(studio.owner, amount="12.00", currency="USD"), 201)
    async with paying_app(database_urls, seller_name="Platform Inc.") as http:
        auditor = Caller(http, studio.auditor.token, studio.org_id)
        shown = good(await auditor.get(f"/billing/statements/{month}"))
        assert shown["earned"] == "30.00"
        assert {each["kind"]: each["amount"] for each in shown["account"]} == {
            "opening": "0.00",
            "earned": "30.00",
            "closing": "30.00",
        }
        assert "100.00 CREDIT" in shown["lines"][0]["description"]
        assert shown["number"].startswith("STM-0")
        assert shown["tax_code"] == "no_profile"
        pdf = await auditor.get(f"/billing/statements/{month}/pdf")
        assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-")
        assert (await auditor.get(f"/billing/statements/{month}/pdf")).content == pdf.content
        lines = (await auditor.get(f"/billing/statements/{month}", headers={"Accept": "text/csv"})).text.splitlines()
        assert lines[0] == '"month","currency","part","description","amount"'
        assert f"{month},USD,tax,{shown['tax_text']},0.00" in [line.replace('"', "") for line in lines]
        assert lines[-1] == f'"{month}","USD","account","closing",30.00'
        refused(await auditor.get(f"/billing/statements/{this}"), 409, "statement.not_over")
        refused(await auditor.get(f"/billing/statements/{month}?currency=EUR"), 404, "not_found")
        assert shown["corrections"] == []
        unknown = f"/billing/statements/{month}/corrections/{shown['id'].replace('doc_', 'stc_')}/pdf"
        refused(await auditor.get(unknown), 404, "not_found")
        async with database.platform() as session:
            following = date.fromisoformat(f"{this}-01")
            (after,) = await statement.issue(
                session,
                studio.org_id,
                following,
                selling(Party(name="Platform Inc.")),
                now=datetime.now(UTC) + timedelta(days=32),
            )
            # Nobody else is to see a statement of a month that has not ended.
            await session.rollback()
        sums = {each["kind"]: each["amount_minor"] for each in after.content["balances"]}
        assert sums == {"opening": 3000, "earned": 0, "paid_out": -1200, "closing": 1800}


async def test_totals_of_creators_include_payouts_and_reversals(database: Database, studio: Tenant) -> None:
    moved = (("payout", -5000, 10), ("payout", -2500, 200), ("payout_reversal", 1000, 201))
    async with database.platform() as session:
        for number, (kind, amount, day) in enumerate(moved):
            await session.execute(
                insert(PaymentBalanceTransaction).values(
                    provider="fake",
                    key=f"{studio.org_id}:{number}",
                    kind=kind,
                    amount_minor=amount,
                    fee_minor=0,
                    currency="USD",
                    org_id=studio.org_id,
                    transfer_id=UUID(int=number),
                    occurred_at=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day),
                )
            )
        year = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
        rows = totals(2024, await statements.quarters(session, since=year[0], until=year[1]))
        # Rows without their postings are nothing that other tests may see.
        await session.rollback()
    mine = [row for row in rows if row.organization_id == studio.org_id]
    assert [(row.period, row.paid_out, row.reversed, row.payouts) for row in mine] == [
        ("2024-Q1", "50.00", "0.00", 1),
        ("2024-Q3", "25.00", "10.00", 1),
        ("2024", "75.00", "10.00", 2),
    ]


async def test_totals_are_exported_for_bookkeepers(operator: Caller) -> None:
    shown = await operator.get("/billing/creators/totals?year=2024", headers={"Accept": "text/csv"})
    assert next(csv.reader([shown.text])) == [
        "organization_id",
        "country",
        "currency",
        "period",
        "paid_out",
        "reversed",
        "payouts",
    ]
