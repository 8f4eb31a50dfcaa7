"""Grants, attribution and many uses at once, over the API and over the fake."""

from decimal import Decimal

import pytest

import bursar
from tests.sdk.world import World

pytestmark = pytest.mark.db


async def test_agent_spends_for_the_department_that_it_belongs_to(world: World) -> None:
    client, agent_id = world.client(), await world.agent_id()
    department = await client.departments.create(name="Research")
    with pytest.raises(bursar.Conflict) as taken:
        await client.departments.create(name="research")
    assert taken.value.code == "department.exists"
    assert (await client.agents.get_attribution(agent_id)).department_id is None
    belongs = await client.agents.set_attribution(agent_id, department_id=department.id)
    assert (await client.agents.get_attribution(agent_id)).model_dump() == belongs.model_dump()
    assert (await client.credits.use(amount=1, agent_id=agent_id)).department_id == department.id
    assert (await client.credits.use(amount=1)).department_id is None
    assert (await client.departments.get(department.id)).path == [department.id]
    assert [each.id async for each in client.departments.list(q="SEARCH", open=True)] == [department.id]


async def test_department_is_closed_after_its_parts_and_agents(world: World) -> None:
    client, agent_id = world.client(), await world.agent_id()
    whole = await client.departments.create(name="Research")
    part = await client.departments.create(name="Summaries", parent_id=whole.id)
    await client.agents.set_attribution(agent_id, department_id=part.id)
    for department in (whole, part):
        with pytest.raises(bursar.Conflict) as used:
            await client.departments.close(department.id)
        assert used.value.code == "department.in_use"
    await client.agents.set_attribution(agent_id)
    closed = await client.departments.close(part.id)
    assert closed.closed_at is not None
    assert (await client.departments.close(part.id)).closed_at == closed.closed_at
    assert [each.id async for each in client.departments.list(open=True)] == [whole.id]


async def test_free_action_is_reserved_and_captured(world: World) -> None:
    client = world.client()
    held = await client.credits.reserve(action="ping")
    assert (held.amount, held.status) == (Decimal(0), "reserved")
    with pytest.raises(bursar.InvalidRequest):
        await client.credits.capture_reservation(held.id, amount=1)
    done = await client.credits.capture_reservation(held.id, amount=0)
    assert (done.status, done.captured, done.held) == ("captured", Decimal(0), Decimal(0))
    again = await client.credits.reserve(action="ping")
    assert (await client.credits.release(reservation_id=again.id)).status == "released"


async def test_many_uses_are_answered_one_by_one_and_share_keys_with_single_ones(world: World) -> None:
    client = world.client()
    items = [
        {"key": "one", "action": "generate", "quantity": 2},
        {"key": "two", "amount": "500"},
        {"key": "three", "action": "no_such_action"},
        {"key": "four", "amount": "1.5"},
    ]
    await client.credits.use(amount=Decimal("1.5"), idempotency_key="four")
    for replayed in (False, True):
        answers = (await client.credits.use_for_many(items=items)).data
        assert [(each.key, each.status) for each in answers] == [
            *(("one", "charged"), ("two", "insufficient"), ("three", "invalid"), ("four", "charged")),
        ]
        assert [answers[0].replayed, answers[3].replayed] == [replayed, True]
        assert (answers[0].amount, answers[0].available) == (Decimal(4), Decimal("94.5"))
    (conflict,) = (await client.credits.use_for_many(items=[{"key": "four", "amount": "2"}])).data
    assert conflict.error is not None
    assert (conflict.status, conflict.error["code"]) == ("conflict", "idempotency.conflict")
    assert await world.books() == ["1.5", "4"]


async def test_grants_add_credits_once_and_are_read_back(world: World) -> None:
    client, operator = world.client(), world.operator()
    organization = (await client.billing.get_balance()).organization_id
    world.wire.faults.extend(["answer_lost"])
    made = await operator.credits.grant(
        organization_id=organization, amount="7.5", source="reward", note="Well done.", external_id="bonus"
    )
    assert (made.amount, made.source, made.note) == (Decimal("7.5"), "reward", "Well done.")
    assert (await client.billing.get_balance()).available == Decimal("107.5")
    assert (await client.grants.get(made.id)).amount == made.amount
    assert [each.id async for each in operator.grants.list(organization_id=organization, q="WELL")] == [made.id]
    with pytest.raises(bursar.Conflict) as taken:
        await operator.credits.grant(organization_id=organization, amount=1, source="reward", external_id="bonus")
    assert taken.value.code == "external_id.taken"


async def test_contract_that_is_accepted_stays_as_it_is_when_it_is_accepted_again(world: World) -> None:
    client = world.client()
    made = await client.contracts.create(agent_id=await world.agent_id(), title="Report", price=5)
    assert (await client.contracts.accept(made.id)).model_dump() == made.model_dump()
    with pytest.raises(bursar.NotFound):
        await client.contracts.accept("ctr_" + "0" * 26)
