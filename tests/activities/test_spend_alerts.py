"""Alerts about spending are raised once for their window, to the organization; a missing rate to operators."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from activities.spend_alerts import SpendAlertActivities
from contracts.spend_alerts import RaiseSpendAlerts
from domain.access import Actor, Role
from domain.credits import GrantSource
from domain.ids import uuid_id
from domain.spend.calendar import Window, window_end, zone_of
from domain.spend.control import Allowance, Limit, NewControl, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import NewSpend, Outcome, Spender
from models.alert import Alert
from models.mail import QueuedMail
from models.organization import Organization
from repositories import alert as alerts
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services import credit_lot

pytestmark = pytest.mark.db

CREDIT = 10**6
NOW = datetime.now(UTC)


class World:
    """One organization with credits, a limit on a run, and the sweep."""

    def __init__(self, database: Database) -> None:
        self.database, self.org, self.run = database, new_id("org"), new_id("run")
        self.sweep = SpendAlertActivities(database)

    async def begin(self, credits: int = 1_000_000) -> "World":
        async with self.database.platform() as session:
            session.add(Organization(id=self.org, name="x", created_by="x", command_id=self.org))
            await session.flush()
            await credit_lot.grant(
                session,
                Actor(principal="root", role=Role.OPERATOR),
                org_id=self.org,
                amount_minor=credits * CREDIT,
                source=GrantSource.REWARD,
                expires_at=None,
                note=None,
                command_id=new_id("cmd"),
                now=NOW,
            )
        return self

    async def limit(self, *limits: Limit, asset: str = "CREDIT", **more: Any) -> str:
        new = NewControl(subject_kind=SubjectKind.RUN, subject_id=self.run, asset=asset)
        wanted = {**new.columns(), **Allowance(limits=limits, **more).columns()}
        async with self.database.platform() as session:
            written = await Controls(await driver_connection(session)).write(
                org_id=self.org,
                control_id=None,
                expected_version=None,
                wanted=wanted,
                by="owner",
                reason=None,
                command_id=new_id("cmd"),
                at=NOW,
            )
        return uuid_id("ctl", written.control_id)

    async def spend(self, credits: int, at: datetime = NOW) -> Outcome:
        spend = NewSpend(
            key=new_id("key"), action="test", amount_minor=credits * CREDIT, spender=Spender(run_id=self.run)
        )
        async with self.database.platform() as session:
            return (await Spending(await driver_connection(session), self.org).charge(spend, at=at)).outcome

    async def raised(self, now: datetime = NOW) -> Sequence[tuple[str, str]]:
        """Sweep twice, and return the kinds and subjects of the organization's alerts, the oldest first."""
        for _ in range(2):
            await self.sweep.raise_spend_alerts(RaiseSpendAlerts(now=now))
        return [(it.kind, it.subject) for it in await self.rows()]

    async def mails(self) -> list[dict[str, str]]:
        async with self.database.platform() as session:
            queued = select(QueuedMail.data).where(QueuedMail.org_id == self.org, QueuedMail.kind == "spend_limit_near")
            return list(await session.scalars(queued))

    async def rows(self) -> Sequence[Alert]:
        async with self.database.tenant(self.org) as session:
            return (await session.scalars(select(Alert).order_by(Alert.id))).all()


@pytest.fixture
async def world(db: Database) -> World:
    return await World(db).begin()


async def test_each_threshold_is_raised_once_in_a_window_and_of_several_the_highest(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(49)
    assert await world.raised() == []
    await world.spend(1)
    assert await world.raised() == [("spend.threshold", control)]
    await world.spend(50)
    assert await world.raised() == [("spend.threshold", control)] * 2
    half, whole = await world.rows()
    assert half.detail.startswith("50% of the limit of run")
    assert whole.detail.startswith("100% of the limit of run")
    assert await world.mails() == [{"control": control, "percent": "100"}]


async def test_the_next_window_raises_again_and_uses_count_like_amounts(world: World) -> None:
    control = await world.limit(Limit(window=Window.MONTH, uses=4, hard=False), thresholds_e4=(7_500,))
    end = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    late, next_month = end - timedelta(days=1), end + timedelta(days=20)
    for at in (late, next_month):
        for _ in range(3):
            await world.spend(1, at)
        await world.raised(at)
    assert await world.raised(next_month) == [("spend.threshold", control)] * 2
    assert await world.mails() == []


async def test_what_was_reached_at_the_end_of_a_window_is_raised_after_it(world: World) -> None:
    control = await world.limit(Limit(window=Window.DAY, amount_minor=10 * CREDIT), thresholds_e4=(10_000,))
    end = window_end(Window.DAY, NOW, zone_of("UTC"), 1)
    await world.spend(10, end - timedelta(seconds=1))
    assert await world.raised(end + timedelta(minutes=59)) == [("spend.threshold", control)]


async def test_half_of_a_limit_in_the_first_tenth_of_its_window_is_a_burst(world: World) -> None:
    control = await world.limit(Limit(window=Window.MONTH, amount_minor=100 * CREDIT), thresholds_e4=())
    begin = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    await world.spend(50, begin)
    assert await world.raised(begin + timedelta(days=4)) == []
    assert await world.raised(begin + timedelta(days=2)) == [("spend.burst", control)]


async def test_a_refusal_is_raised_once_for_its_window_however_often_it_is_refused(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=0))
    for _ in range(3):
        assert await world.spend(1) is Outcome.REFUSED
    assert await world.raised() == [("spend.refused", control)]
    (raised,) = await world.rows()
    assert raised.detail == (
        f"A spend of 1.00 CREDIT for run {world.run} was refused: it is more than what is left of the limit of the "
        "lifetime."
    )


async def test_credits_that_do_not_suffice_and_soon_end_are_raised_once_a_day(db: Database) -> None:
    world = await World(db).begin(credits=10)
    assert await world.spend(11) is Outcome.INSUFFICIENT
    assert await world.raised() == [("credits.exhausted", world.org)]
    await world.spend(1)
    assert await world.raised() == [("credits.exhausted", world.org), ("credits.low", world.org)]
    await world.spend(1)
    assert len(await world.raised()) == 2


async def test_credits_that_last_are_not_low(world: World) -> None:
    await world.spend(1)
    assert await world.raised() == []


async def test_a_rate_that_is_missing_is_for_operators_and_the_rest_is_not(world: World) -> None:
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=1), asset="ZWG")
    await world.spend(1)
    assert await world.raised() == []
    async with world.database.platform() as session:
        seen = await alerts.page(session, open_only=True, before=None, limit=200)
        of_org = await alerts.page(session, open_only=True, org_id=world.org, before=None, limit=200)
    assert "ZWG" in {it.subject for it in seen if it.kind == "spend.no_rate"}
    assert not {"spend.refused", "spend.threshold", "credits.low"} & {it.kind for it in seen}
    assert of_org == []
