"""Payouts in the log of economic events match the ledger."""

from datetime import timedelta

import pytest

from domain.budgets.economics import LogEntry
from repositories.budgets import economics
from repositories.common.listing import ListFilter
from tests.activities.test_recovery import World, world  # noqa: F401 - a fixture
from tests.api.paying import NOW

pytestmark = pytest.mark.db


async def payouts(world: World) -> list[LogEntry]:  # noqa: F811
    asked = ListFilter(org_id=world.org, limit=50)
    async with world.database.tenant(world.org) as session:
        found = await economics.page(session, asked, types=("payout", "payout_reversal"))
        assert found.following is None
        whole = (await economics.page(session, asked)).rows
    assert [entry for entry in whole if entry.agent_id is None] == list(found.rows)
    return list(found.rows)


async def test_payout_is_one_entry_when_sent_and_one_when_returned(world: World) -> None:  # noqa: F811
    paid = await world.bought()
    await world.works(100)
    given_up = await world.asked_for(at=NOW + timedelta(seconds=1))
    await world.fails(given_up, at=NOW + timedelta(seconds=2))
    payout = await world.asked_for(at=NOW + timedelta(seconds=3))
    assert await payouts(world) == []
    await world.sends(payout, at=NOW + timedelta(seconds=4))
    [sent] = await payouts(world)
    assert (sent.transaction_type, sent.status, sent.object_id) == ("payout", "succeeded", payout.payout_id)
    assert (sent.amount_minor, sent.currency, sent.at) == (1000, "USD", NOW + timedelta(seconds=4))
    await world.lost(paid)
    await world.recover()
    back, still = await payouts(world)
    assert (back.transaction_type, back.status, back.object_id) == ("payout_reversal", "reversed", payout.payout_id)
    assert (still, back.amount_minor, back.currency) == (sent, 100_000_000, "CREDIT")
