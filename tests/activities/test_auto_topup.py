"""Outcomes of falls of a balance apply only to the settings under which the falls were recorded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.common.errors import Invalid
from domain.payments.auto_topup import TopUpOutcome, TopUpResult, amount_to_buy
from models.messages.alert import Alert
from models.payments.auto_topup import AutoTopUp
from providers.payments.registry import Providers
from providers.payments.stripe.customers import MethodView
from repositories.payments import auto_topup as auto_topups
from runtime.database import Database
from services.payments import auto_topup
from services.payments.payment_method import stored_method
from tests.support.spend_world import CREDIT, World

pytestmark = pytest.mark.db


@pytest.mark.parametrize("method", ["pm_old", "pm_new"])
async def test_decline_counts_for_the_method_that_was_declined(db: Database, method: str) -> None:
    org_id, now = (await World(db).begin(credits=1)).org, datetime.now(UTC)

    async def put(wanted: str) -> None:
        amounts = {"below_minor": 20 * CREDIT, "credits_minor": 100 * CREDIT, "monthly_cap_minor": 250 * CREDIT}
        row = AutoTopUp(org_id=org_id, enabled=True, payment_method=wanted, updated_by="owner", **amounts)
        async with db.platform() as session:
            await auto_topups.put(session, row, now=now)

    await put("pm_old")
    async with db.platform() as session:
        row = await auto_topups.lock(session, org_id)
        number = (
            await auto_topups.record_fall(session, row, available_minor=0, credits_minor=row.credits_minor, at=now)
        ).number
    await put(method)
    async with db.platform() as session:
        done = await auto_topup.record_outcome(session, org_id, number, refused="pm_old is not there", now=now, days=[])
    assert done.outcome is TopUpOutcome.DECLINED
    async with db.platform() as session:
        row = await auto_topups.lock(session, org_id)
        stands = (row.payment_method, row.enabled, row.off_reason)
    assert stands == (("pm_new", True, None) if method == "pm_new" else ("pm_old", False, "pm_old is not there"))


async def test_declined_top_up_is_tried_again_on_the_days_of_dunning_and_then_switched_off(db: Database) -> None:
    org_id, now = (await World(db).begin(credits=1)).org, datetime.now(UTC)
    amounts = {"below_minor": 20 * CREDIT, "credits_minor": 100 * CREDIT, "monthly_cap_minor": 10_000 * CREDIT}

    async def put() -> None:
        row = AutoTopUp(org_id=org_id, enabled=True, payment_method="pm", updated_by="owner", **amounts)
        async with db.platform() as session:
            await auto_topups.put(session, row, now=now)

    async def fell(at: datetime) -> list[int | None]:
        async with db.platform() as session:
            await auto_topup.record_falls(session, now=at, after="", limit=1000, most_minor=10_000 * CREDIT)
            return [each.number for each in await auto_topups.due(session, [org_id], now=at)]

    async def decline(number: int, at: datetime) -> tuple[bool, int, datetime | None]:
        async with db.platform() as session:
            await auto_topup.record_outcome(session, org_id, number, refused="no", now=at, days=[3, 7])
            row = await auto_topups.lock(session, org_id)
            return row.enabled, row.failures, row.retry_at

    await put()
    assert await fell(now) == [1]
    assert await decline(1, now) == (True, 1, now + timedelta(days=3))
    assert await fell(now + timedelta(days=2, hours=23)) == []
    now += timedelta(days=3)
    assert await fell(now) == [2]
    assert await decline(2, now) == (True, 2, now + timedelta(days=4))
    # Whoever sets it again has mended the cause: it is tried at once, and counts from the beginning.
    await put()
    assert await fell(now) == [3]
    assert await decline(3, now) == (True, 1, now + timedelta(days=3))
    now += timedelta(days=3)
    assert await fell(now) == [4]
    assert await decline(4, now) == (True, 2, now + timedelta(days=4))
    now += timedelta(days=4)
    assert await fell(now) == [5]
    assert await decline(5, now) == (False, 0, None)
    assert await fell(now + timedelta(days=30)) == []
    async with db.platform() as session:
        kinds = (await session.scalars(select(Alert.kind).where(Alert.subject == org_id).order_by(Alert.id))).all()
        still = select(Alert.kind).where(Alert.subject == org_id, Alert.acknowledged_at.is_(None))
        assert (await session.scalars(still)).all() == ["credits.auto_topup_off"]
    assert kinds == ["credits.auto_topup_failed"] * 4 + ["credits.auto_topup_off"]


async def test_balance_at_the_threshold_ends_the_retries(db: Database) -> None:
    org_id, now = (await World(db).begin(credits=100)).org, datetime.now(UTC)
    amounts = {"below_minor": 200 * CREDIT, "credits_minor": 100 * CREDIT, "monthly_cap_minor": 250 * CREDIT}
    row = AutoTopUp(org_id=org_id, enabled=True, payment_method="pm", updated_by="owner", **amounts)
    async with db.platform() as session:
        await auto_topups.put(session, row, now=now)
        await auto_topup.record_falls(session, now=now, after="", limit=1000, most_minor=10_000 * CREDIT)
        await auto_topup.record_outcome(session, org_id, 1, refused="no", now=now, days=[3])
        stored = await auto_topups.lock(session, org_id)
        assert stored.failures == 1
        stored.below_minor = 50 * CREDIT
        await session.flush()
        await auto_topup.record_falls(session, now=now, after="", limit=1000, most_minor=10_000 * CREDIT)
        await session.refresh(stored)
        assert (stored.armed, stored.failures, stored.retry_at) == (True, 0, None)


class OfStored:
    """A provider of one customer's stored methods."""

    def __init__(self, **changes: Any) -> None:
        card: dict[str, Any] = {"id": "pm_1", "type": "card", "brand": "visa", "last4": "4242", "is_default": True}
        self.card = MethodView(**card | {"exp_month": 12, "exp_year": 2050} | changes)

    async def methods(self, customer: str) -> list[MethodView]:
        return [self.card] if customer == "cus_1" else []


@pytest.mark.parametrize(
    ("customer", "method", "expires", "code"),
    [
        ("cus_1", "pm_1", {}, None),
        ("cus_1", "pm_2", {}, "payment_method.unknown"),
        ("cus_2", "pm_1", {}, "payment_method.unknown"),
        (None, "pm_1", {}, "payment_method.unknown"),
        ("cus_1", "pm_1", {"exp_month": 10, "exp_year": 2026}, "payment_method.expired"),
        ("cus_1", "pm_1", {"exp_month": 11, "exp_year": 2026}, None),
        ("cus_1", "pm_1", {"type": "sepa_debit", "exp_month": None, "exp_year": None}, None),
    ],
)
async def test_only_stored_methods_of_the_organization_can_be_charged(
    customer: str | None, method: str, expires: dict[str, Any], code: str | None
) -> None:
    providers: Any = Providers({}, customers=OfStored(**expires))
    found = stored_method(providers, customer, method, now=datetime(2026, 11, 28, tzinfo=UTC))
    if code is None:
        assert await found == method
        return
    with pytest.raises(Invalid) as refusal:
        await found
    assert refusal.value.error_code == code


async def test_low_balance_is_topped_up_until_the_threshold_or_the_cap(db: Database) -> None:
    """One use larger than the package must not end the automatic top-up."""
    org_id, now = (await World(db).begin(credits=1)).org, datetime.now(UTC)
    amounts = {"below_minor": 200 * CREDIT, "credits_minor": 50 * CREDIT, "monthly_cap_minor": 500 * CREDIT}
    async with db.platform() as session:
        row = AutoTopUp(org_id=org_id, enabled=True, payment_method="pm", updated_by="owner", **amounts)
        await auto_topups.put(session, row, now=now)

    async def bought(*, most: int = 10_000) -> int | None:
        """Note the fall, if there is one, and have its payment succeed; return how many credits it bought."""
        async with db.platform() as session:
            await auto_topup.record_falls(session, now=now, after="", limit=1000, most_minor=most * CREDIT)
            found = [each for each in await auto_topups.due(session, [org_id], now=now) if each.number]
            if not found:
                return None
            row = await auto_topups.lock(session, org_id)
            crossing = await auto_topups.find_fall(session, org_id, row.crossings)
            crossing.outcome = TopUpOutcome.SUCCEEDED.value
            await auto_topup._apply_outcome(session, row, crossing, TopUpResult(TopUpOutcome.SUCCEEDED), now, [3])
            return crossing.credits_minor // CREDIT

    # 199 are missing, which four packages cover. All of them were used as they came: there are other falls.
    assert [await bought() for _ in range(4)] == [200, 200, 100, None]


@pytest.mark.parametrize(
    ("missing", "left", "bought"), [(1, 500, 50), (50, 500, 50), (51, 500, 100), (400, 120, 100), (1, 49, 0)]
)
def test_fall_buys_the_missing_multiple_within_the_cap(missing: int, left: int, bought: int) -> None:
    assert amount_to_buy(missing, 50, left) == bought
