"""More people than seats once a smaller plan has begun: told to their organization, and over when it fits."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from activities.messages.alert_rules import AlertRuleActivities
from contracts.messages.alert_rules import EvaluateAlertRules
from domain.billing.subscription.snapshot import BillReason, ProviderState
from domain.common.access import Role
from models.messages.alert import Alert
from models.tenants.api_key import ApiKey
from runtime.database import Database
from runtime.identity import new_id
from services.billing.subscription_seats import SEATS_EXCEEDED
from tests.domain.subscription.building import ANCHOR, PLANS, START, bill, days, month, ordered, seen, terms
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db


async def people(one: Subscribed, number: int, **changes: object) -> None:
    rows = [
        {
            "id": new_id("key"),
            "org_id": one.org_id,
            "principal": new_id("kim"),
            "role": Role.MEMBER.value,
            "secret_hash": b"none",
            "created_by": "kim",
            "command_id": new_id("cmd"),
            **changes,
        }
        for _ in range(number)
    ]
    async with one.database.platform() as session:
        await session.execute(insert(ApiKey), rows)


async def alerts(one: Subscribed) -> list[tuple[str, bool]]:
    """Return the kinds of the alerts that the organization reads, and whether each is resolved."""
    return [(row.kind, row.resolved_at is not None) for row in await one.rows(Alert) if row.shared]


async def sweep(database: Database) -> None:
    await AlertRuleActivities(database, PLANS).look_at_alert_rules(
        EvaluateAlertRules(now=datetime.now(UTC), limit=100, built_in=True)
    )


async def downgraded(database: Database, before: int, later: int) -> Subscribed:
    """Have a smaller plan begin, which was ordered when so many people had keys, and so many more came later."""
    one = await subscribed(database, "professional")
    await one.look(seen(bill(0, 9_900, month(0))))
    await people(one, before)
    one.state = ordered(one.state, terms("starter"), START + days(3))
    await people(one, later)
    await one.look(seen(bill(1, 2_900, month(1)), period=month(1)), ANCHOR.after(1))
    return one


async def test_smaller_plan_begins_with_too_many_people_and_their_organization_is_told(database: Database) -> None:
    one = await downgraded(database, 3, 1)
    assert (one.state.terms.plan, await one.tier()) == ("starter", "starter")
    [told] = [row for row in await one.rows(Alert) if row.kind == SEATS_EXCEEDED]
    assert (told.subject, told.shared, told.for_operators) == (one.state.subscription_id, True, False)
    assert told.detail.startswith("4 people have keys, and the plan starter has 3 seats.")
    await sweep(database)
    await one.look(seen(bill(1, 2_900, month(1)), bill(2, 2_900, month(2)), period=month(2)), ANCHOR.after(2))
    assert await alerts(one) == [(SEATS_EXCEEDED, False)]


async def test_it_is_over_once_a_key_is_revoked_or_has_expired(database: Database) -> None:
    one, other = [await downgraded(database, 3, 1) for _ in range(2)]
    async with database.platform() as session:
        newest = max(row.id for row in await one.rows(ApiKey))
        gone = update(ApiKey).where(ApiKey.id == newest)
        await session.execute(gone.values(revoked_at=datetime.now(UTC) - timedelta(seconds=1)))
    await sweep(database)
    assert (await alerts(one), await alerts(other)) == ([(SEATS_EXCEEDED, True)], [(SEATS_EXCEEDED, False)])


async def test_it_is_over_with_a_larger_plan_and_with_the_end(database: Database) -> None:
    one = await downgraded(database, 3, 1)
    await one.look(seen(bill(1, 2_900, month(1)), state=ProviderState.CANCELED, period=month(1)), ANCHOR.after(1))
    assert (await one.tier(), await alerts(one)) == ("free", [(SEATS_EXCEEDED, True)])
    larger = await downgraded(database, 3, 1)
    at = ANCHOR.after(1) + days(2)
    larger.state = ordered(larger.state, terms("professional"), at)
    paid = bill(3, 6_500, None, reason=BillReason.UPDATE, created_at=at)
    await larger.look(seen(bill(1, 2_900, month(1)), paid, period=month(1)), at)
    assert (larger.state.terms.plan, await alerts(larger)) == ("professional", [(SEATS_EXCEEDED, True)])


async def test_smaller_plan_that_everybody_fits_into_tells_nobody(database: Database) -> None:
    one = await downgraded(database, 2, 1)
    assert (one.state.terms.plan, await alerts(one)) == ("starter", [])
