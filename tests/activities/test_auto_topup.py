"""What becomes of a fall of the balance changes the setting that it was noted under, and no later one."""

from datetime import UTC, datetime

import pytest

from domain.auto_topup import Crossing
from models.auto_topup import AutoTopUp
from repositories import auto_topup as auto_topups
from runtime.database import Database
from services import auto_topup
from tests.support.spend_world import CREDIT, World

pytestmark = pytest.mark.db


@pytest.mark.parametrize("method", ["pm_old", "pm_new"])
async def test_decline_switches_off_the_method_that_was_declined(db: Database, method: str) -> None:
    org_id, now = (await World(db).begin(credits=1)).org, datetime.now(UTC)

    async def put(wanted: str) -> None:
        amounts = {"below_minor": 20 * CREDIT, "credits_minor": 100 * CREDIT, "monthly_cap_minor": 250 * CREDIT}
        row = AutoTopUp(org_id=org_id, enabled=True, payment_method=wanted, updated_by="owner", **amounts)
        async with db.platform() as session:
            await auto_topups.put(session, row, now=now)

    await put("pm_old")
    async with db.platform() as session:
        row = await auto_topups.locked(session, org_id)
        number = (await auto_topups.cross(session, row, available_minor=0, at=now)).number
    await put(method)
    async with db.platform() as session:
        done = await auto_topup.settle(session, org_id, number, refused="pm_old is not there")
    assert done.outcome is Crossing.DECLINED
    async with db.platform() as session:
        row = await auto_topups.locked(session, org_id)
        stands = (row.payment_method, row.enabled, row.off_reason)
    assert stands == (("pm_new", True, None) if method == "pm_new" else ("pm_old", False, "pm_old is not there"))
