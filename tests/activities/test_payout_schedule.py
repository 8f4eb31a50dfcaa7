"""Scheduled payouts: a failure does not stop others and raises one alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from temporalio.testing import ActivityEnvironment

from activities.payouts.payout_schedule import PayoutScheduleActivities
from contracts.common.batch import DuePage
from domain.common import accounts
from domain.common.errors import Conflict, Invalid
from domain.common.money import CREDIT, amounts_from
from domain.payouts.payable import HoldBack
from domain.payouts.payout.schedule import PayoutInterval, PayoutSchedule
from domain.risk.act import Outcome, Point
from ledger.gateway import Posting
from models.messages.alert import Alert
from models.payouts.payout import PayoutRow, PayoutScheduleRow
from providers.payouts.base import AccountSnapshot
from repositories.payouts import payable, payout_schedule
from runtime.database import Database
from runtime.identity import new_id
from services.payouts import payout as payouts, payout_schedule as service
from services.risk.decision import Risk
from tests.activities.test_recovery import ONE, World
from tests.api.paying import NOW
from tests.conftest import DatabaseUrls
from tests.repositories.test_risk_decisions import made_risk, set_rule
from tests.support.connections import as_owner
from tests.support.payouts import FakePayouts
from tests.support.starts import Starts

pytestmark = pytest.mark.db

NO_HOLD_BACK = HoldBack(usual=timedelta(0), floor=timedelta(0))


class Abroad(FakePayouts):
    """Has accounts with a bank in another currency."""

    def __init__(self, **currencies: str) -> None:
        super().__init__()
        self.currencies = currencies

    async def retrieve_account(self, ref: str) -> AccountSnapshot:
        found = await super().retrieve_account(ref)
        return replace(found, currency=self.currencies.get(ref, found.currency))


async def due(database: Database) -> World:
    """Return a creator with earnings who is due today."""
    world = await World(database).begin()
    await world.bought()
    await world.works(100, at=NOW - timedelta(days=30))
    now = datetime.now(UTC)
    async with database.platform() as session:
        schedule, yesterday = PayoutSchedule(interval=PayoutInterval.DAILY), now.date() - timedelta(days=1)
        await payout_schedule.put(session, world.org, schedule, next_on=yesterday, by="test", at=now)
    return world


async def pay(database: Database, fake: FakePayouts, risk: Risk | None = None) -> None:
    client: Any = Starts()
    acts = PayoutScheduleActivities(
        database, client, fake, risk or made_risk(enforced=False), hold_back=NO_HOLD_BACK, minimum=amounts_from("1.00")
    )
    await ActivityEnvironment().run(acts.pay, DuePage(now=datetime.now(UTC), limit=500))


async def row_of(world: World) -> PayoutScheduleRow:
    async with world.database.platform() as session:
        found = await payout_schedule.find(session, world.org)
    assert found is not None
    return found


async def test_bank_account_in_an_unsupported_currency_does_not_stop_other_payouts(database: Database) -> None:
    abroad, honest = await due(database), await due(database)
    await pay(database, Abroad(**{abroad.ref: "BGN"}))
    assert (await row_of(honest)).last_payout_id is not None
    refused = await row_of(abroad)
    assert (refused.last_payout_id, refused.last_refusal) == (None, "payout.currency_unsupported")
    assert refused.next_on == refused.last_on


async def test_scheduled_payout_in_review_is_tried_again_until_its_case_is_released(database: Database) -> None:
    world, risk = await due(database), made_risk()
    await set_rule(database, "scheduled_payout", "amount == 1000", Outcome.REVIEW, Point.PAYOUT)
    try:
        for _ in "12":
            await pay(database, FakePayouts(), risk)
            row = await row_of(world)
            assert (row.last_payout_id, row.last_refusal, row.next_on) == (None, "risk.in_review", row.last_on)
    finally:
        await set_rule(database, "scheduled_payout", "false", Outcome.REVIEW, Point.PAYOUT)
    async with database.platform() as session:
        query = "SELECT case_id FROM risk_decisions WHERE org_id = :org_id AND point = 'payout'"
        [case_id] = await session.scalars(text(query), {"org_id": world.org})
        released = (
            "UPDATE risk_cases SET status = 'closed', state = state || '{\"result\": \"release\"}' WHERE id = :id"
        )
        await session.execute(text(released), {"id": case_id})
    await pay(database, FakePayouts(), risk)
    assert (await row_of(world)).last_payout_id is not None


async def test_each_currency_has_one_payout_a_day(database: Database) -> None:
    world, old = await due(database), NOW - timedelta(days=30)
    for currency, minor in (("EUR", 2_000), ("JPY", 700), ("GBP", 99)):
        await world.move(Posting(accounts.platform("exchange", currency), world.earned(currency), minor), at=old)

    async def paid() -> dict[str, int]:
        async with database.platform() as session:
            query = select(PayoutRow.currency, PayoutRow.amount_minor).where(PayoutRow.org_id == world.org)
            return {row.currency: row.amount_minor for row in await session.execute(query)}

    await pay(database, FakePayouts())
    # What is below the minimum of 1.00 waits.
    assert await paid() == {"USD": 1000, "EUR": 2_000, "JPY": 700}
    row = await row_of(world)
    assert row.last_payout_id is not None
    await world.move(Posting(accounts.platform("exchange", "EUR"), world.earned("EUR"), 500), at=old)
    await pay(database, FakePayouts())
    assert (await paid())["EUR"] == 2_000


async def test_earnings_of_many_lots_are_paid_out_in_parts_on_one_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payable, "MAX_SLICES", 5)
    world, old = await due(database), NOW - timedelta(days=30)
    await world.bought()
    held = accounts.escrow(new_id("esc"), CREDIT, world.payer)
    await world.move(Posting(accounts.org_credits(world.payer), held, 90 * ONE), at=old)
    await world.move(*[Posting(held, world.earned(), 10 * ONE) for _ in range(9)], at=old)
    await pay(database, FakePayouts())
    async with database.platform() as session:
        query = select(PayoutRow.amount_minor).where(PayoutRow.org_id == world.org)
        assert sorted(await session.scalars(query)) == [500, 1400]


async def test_parts_of_a_payout_above_the_minimum_may_be_below_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payable, "MAX_SLICES", 20)
    world = await World(database).begin()
    await world.bought()
    held = accounts.escrow(new_id("esc"), CREDIT, world.payer)
    await world.move(Posting(accounts.org_credits(world.payer), held, 26 * ONE // 10), at=NOW)
    await world.move(*[Posting(held, world.earned(), ONE // 10) for _ in range(26)], at=NOW)
    asking: dict[str, Any] = {"org_id": world.org, "currency": None, "hold_back": NO_HOLD_BACK}
    asking |= {"now": NOW + timedelta(seconds=1)}

    async def asked(amount_minor: int | None, minimum: str) -> int:
        async with database.platform() as session:
            values = {
                **asking,
                "amount_minor": amount_minor,
                "minimum": amounts_from(minimum),
                "command_id": new_id("cmd"),
            }
            return (await payouts.request(session, world.actor, **values)).amount_minor

    with pytest.raises(Conflict, match=r"at least 0\.27"):
        await asked(None, "0.27")
    with pytest.raises(Conflict, match=r"at least 0\.25"):
        await asked(20, "0.25")
    # What is there can be asked for, and leaves as far as the lots reach; more than is there cannot.
    with pytest.raises(Conflict, match=r"0\.26 USD can be paid out now"):
        await asked(27, "0.25")
    assert await asked(26, "0.25") == 20
    with pytest.raises(Conflict, match=r"at least 0\.25"):
        await asked(None, "0.25")


async def test_last_decimal_that_cannot_be_transferred_stays_in_the_earnings(database: Database) -> None:
    world, old = await World(database).begin(), NOW - timedelta(days=60)
    await world.move(Posting(accounts.platform("exchange", "KWD"), world.earned("KWD"), 12_345), at=old)
    asking: dict[str, Any] = {
        "org_id": world.org,
        "currency": "KWD",
        "hold_back": NO_HOLD_BACK,
        "minimum": amounts_from("1.00"),
    }

    async def asked(amount_minor: int | None) -> int:
        async with database.platform() as session:
            values = {**asking, "amount_minor": amount_minor, "command_id": new_id("cmd"), "now": NOW}
            return (await payouts.request(session, world.actor, **values)).amount_minor

    with pytest.raises(Invalid, match=r"Request 2\.22 KWD"):
        await asked(2_225)
    assert await asked(None) == 12_340
    with pytest.raises(Conflict, match=r"0\.005 KWD can be paid out now"):
        await asked(None)


async def test_failed_payout_does_not_stop_others_and_alerts_operators_once_a_month(
    database: Database, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, honest = await due(database), await due(database)
    pay_out = service.pay_out

    async def fail(session: Any, risk: Any, org_id: str, **options: Any) -> Any:
        if org_id == broken.org:
            raise RuntimeError("by the test")
        return await pay_out(session, risk, org_id, **options)

    monkeypatch.setattr(service, "pay_out", fail)
    for _ in range(2):
        await pay(database, FakePayouts())
    assert (await row_of(honest)).last_payout_id is not None
    async with database.platform() as session:
        query = select(Alert.detail).where(Alert.kind == "payout.schedule_failed", Alert.subject == broken.org)
        (detail,) = (await session.scalars(query)).all()
    assert "RuntimeError" in detail
    # As if it had been raised in the month before.
    await as_owner(database_urls, "UPDATE alerts SET key = key || '-' WHERE subject = $1", broken.org)
    await pay(database, FakePayouts())
    async with database.platform() as session:
        assert len((await session.scalars(query)).all()) == 2


async def test_deleted_account_alerts_operators(database: Database) -> None:
    lost, unread, honest = await due(database), await due(database), await due(database)
    fake = FakePayouts()
    fake.modes |= {lost.ref: "gone", unread.ref: "key_refused"}
    await pay(database, fake)
    assert (await row_of(honest)).last_payout_id is not None
    assert [(await row_of(each)).last_payout_id for each in (lost, unread)] == [None, None]
    async with database.platform() as session:
        query = select(Alert.subject, Alert.detail).where(
            Alert.kind == "payout.schedule_failed", Alert.subject.in_([lost.org, unread.org])
        )
        ((subject, detail),) = (await session.execute(query)).all()
    assert subject == lost.org
    assert "There is no such account." in detail
