"""Limits, refunds and deployments behave the same against the API and the fake."""

from decimal import Decimal
from typing import Any

import pytest

import bursar
from tests.sdk.world import World

pytestmark = pytest.mark.db


async def refused(call: Any, code: str) -> dict[str, Any]:
    """Return the members of the refusal of a call."""
    with pytest.raises(bursar.APIError) as error:
        await call
    assert error.value.code == code
    return dict(error.value.problem)


async def test_use_is_refunded_in_parts_and_never_more(world: World) -> None:
    client, operator = world.client(), world.operator()
    used = await client.credits.use(action="generate", quantity=3)
    first = await operator.credits.refund_spend(used.id, amount="1.5", reason="Half of it failed")
    assert (first.spend_id, first.amount, first.available) == (used.id, Decimal("1.5"), Decimal("95.5"))
    await refused(operator.credits.refund_spend(used.id, amount=5), "spend.refunded")
    world.wire.faults.append("answer_lost")
    rest = await operator.credits.refund_spend(used.id)
    assert (rest.amount, rest.refunded, rest.available) == (Decimal("4.5"), Decimal(6), Decimal(100))
    await refused(operator.credits.refund_spend(used.id), "spend.refunded")
    shown = await client.credits.get_spend(used.id)
    assert (shown.status, shown.captured, shown.refunded) == ("refunded", Decimal(6), Decimal(6))
    refunds = [each async for each in client.credits.list_spend_refunds(used.id, limit=1)]
    assert [each.model_dump() for each in refunds] == [rest.model_dump(), first.model_dump()]
    await refused(operator.credits.refund_spend("spd_" + "0" * 26), "not_found")
    assert await world.books() == ["6"]


async def test_what_a_reservation_captured_is_refunded(world: World) -> None:
    client = world.client()
    async with client.hold("10") as hold:
        hold.use(4)
    given = await world.operator().credits.refund_spend(hold.id, amount=1)
    assert (given.spend_id, given.refunded, given.available) == (hold.id, Decimal(1), Decimal(97))
    assert (await client.credits.get_reservation(hold.id)).status == "captured"


async def test_spend_above_a_limit_is_refused_with_what_is_left_of_it(world: World) -> None:
    client = world.client()
    subject: Any = {"type": "run", "id": "run-1"}
    made = await client.spend_controls.create(
        subject=subject, limits=[{"window": "lifetime", "uses": 2}, {"window": "day", "amount": "10"}], per_spend="6"
    )
    assert [each.window for each in made.limits] == ["day", "lifetime"]
    assert (made.path, made.thresholds) == ([made.id], [Decimal("0.5"), Decimal("0.8"), Decimal(1)])
    await client.credits.use(amount=6, run_id="run-1")
    problem = await refused(client.credits.use(amount=5, run_id="run-1"), "spend.limit_exceeded")
    [day, _] = (await client.spend_controls.get(made.id)).limits
    assert day.resets_at is not None
    assert {name: problem[name] for name in problem if name in {"reason", "limit", "remaining", "window"}} == {
        "reason": "limit",
        "limit": "10.00",
        "remaining": "4.00",
        "window": "day",
    }
    assert (problem["control_id"], problem["subject"], problem["currency"]) == (made.id, subject, "CREDIT")
    assert problem["resets_at"] == day.resets_at.isoformat().replace("+00:00", "Z")
    single = await refused(client.credits.use(amount="6.5", run_id="run-1"), "spend.limit_exceeded")
    assert (single["reason"], single["limit"], single["window"]) == ("per_spend", "6.00", None)
    await client.credits.use(amount=7, run_id="run-2")
    assert await world.books() == ["6", "7"]


async def test_reservations_and_refunds_count_in_their_limit(world: World) -> None:
    client = world.client()
    made = await client.spend_controls.create(
        subject={"type": "organization"}, limits=[{"window": "month", "amount": "10", "uses": 3}]
    )

    async def left() -> tuple[Any, ...]:
        [month] = (await client.spend_controls.get(made.id)).limits
        return month.spent, month.held, month.remaining, month.uses_remaining

    async with client.hold("4") as hold:
        assert await left() == (Decimal(0), Decimal(4), Decimal(6), 2)
        await refused(client.credits.use(amount=7), "spend.limit_exceeded")
        hold.use(1)
    assert await left() == (Decimal(1), Decimal(0), Decimal(9), 2)
    async with client.hold("4"):
        pass
    used = await client.credits.use(amount=9)
    assert await left() == (Decimal(10), Decimal(0), Decimal(0), 1)
    await world.operator().credits.refund_spend(used.id, amount=5)
    assert await left() == (Decimal(5), Decimal(0), Decimal(5), 1)
    await client.credits.use(amount=1)
    problem = await refused(client.credits.use(amount=1), "spend.limit_exceeded")
    assert (problem["reason"], problem["limit"], problem["remaining"]) == ("uses", 3, 0)


async def test_spend_control_is_changed_for_its_version_frozen_and_closed(world: World) -> None:
    controls, credits = world.client().spend_controls, world.client().credits
    made = await controls.create(subject={"type": "organization"}, limits=[{"window": "day", "amount": "1"}])
    await refused(controls.create(subject={"type": "organization"}), "spend_control.exists")
    await refused(credits.use(amount=2), "spend.limit_exceeded")
    more = await controls.change(made.id, limits=[{"window": "day", "amount": "5"}], version=1)
    assert (more.version, more.limits[0].amount, more.per_spend) == (2, Decimal(5), None)
    stale = await refused(controls.change(made.id, per_spend="1", version=1), "spend_control.version")
    assert stale["version"] == 2
    await credits.use(amount=2)
    await refused(controls.create(subject={"type": "run", "id": "r"}, limits=[{"window": "day"}]), "request.invalid")
    other = await controls.create(subject={"type": "run", "id": "r"})
    assert [each.id async for each in controls.list(limit=1)] == [other.id, made.id]
    assert [each.id async for each in controls.list(subject_type="run", subject_id="r")] == [other.id]
    assert (await controls.freeze(made.id)).status == "frozen"
    frozen = await refused(credits.use(amount=1), "spend.limit_exceeded")
    assert (frozen["reason"], frozen["window"], frozen["remaining"]) == ("frozen", None, None)
    assert (await controls.unfreeze(made.id)).version == 4
    assert (await controls.close(made.id)).status == "closed"
    await refused(controls.freeze(made.id), "spend_control.closed")
    assert [each.id async for each in controls.list(status=["closed"])] == [made.id]
    await credits.use(amount=20)
    assert await world.books() == ["2", "20"]


async def test_projects_are_made_and_deployed_within_the_plan(world: World) -> None:
    projects = world.client().projects
    made = await projects.create(name="Weekly summaries", external_id="p-1", metadata={"team": "a"})
    assert (made.slug, made.deployed, made.deploy_type) == ("weekly-summaries", False, "development")
    assert made.model_fields_set >= set(bursar.models.ProjectView.model_fields)
    await refused(projects.create(slug="weekly-summaries"), "project.exists")
    problem = await refused(projects.create(name="Other"), "deployment.limit_reached")
    assert (problem["entitlement"], problem["limit"], problem["used"], problem["plan"]) == ("projects", 1, 1, "free")
    assert problem["ways_up"] == [
        {"way": "plan", "plan": "premium", "limit": 5},
        {"way": "plan", "plan": "professional", "limit": 5},
        {"way": "plan", "plan": "enterprise", "limit": None},
        {"way": "slot"},
    ]
    deployed = await projects.deploy(made.slug)
    assert (deployed.deployed, deployed.is_deployed, deployed.occupies_slot) == (True, True, False)
    assert (await projects.deploy(made.slug)).deployed_at == deployed.deployed_at is not None
    assert (await projects.get(made.slug)).model_dump() == deployed.model_dump()
    assert (await projects.undeploy(made.slug)).deployed_at is None
    tag = str(bursar.response_info(await projects.get(made.slug)).etag)
    changed = await projects.update(made.slug, if_match=tag, name="Daily summaries", metadata={"team": ""})
    assert (changed.name, changed.slug, changed.metadata) == ("Daily summaries", made.slug, {})
    await refused(projects.update(made.slug, if_match=tag, name="Other"), "precondition.failed")
    assert [each.id async for each in projects.list(external_id="p-1")] == [made.id]
    assert [each async for each in projects.list(metadata={"team": "a"})] == []
    for call in (projects.get("none"), projects.deploy("none"), projects.undeploy("none")):
        await refused(call, "not_found")
