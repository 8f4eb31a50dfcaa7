"""Agents that charge, alone and combined with a framework's classes."""

from decimal import Decimal

import pytest
from pydantic import BaseModel

import bursar
from bursar import Agent, AsyncAgent
from bursar.testing import FakeBursar
from tests.sdk.world import World

pytestmark = pytest.mark.db


async def test_agent_charges_holds_and_reads_its_money(world: World) -> None:
    client, agent_id = world.client(), await world.agent_id()

    class Writer(AsyncAgent):
        bursar_client = client
        bursar_agent_id = agent_id

    writer = Writer()
    used = await writer.charge("generate", quantity=2, metadata={"model": "small"})
    assert (used.amount, used.agent_id) == (Decimal(4), writer.bursar_agent_id)
    async with writer.hold("10", action="generate") as hold:
        hold.use(3)
    assert (await client.credits.get_reservation(hold.id)).agent_id == writer.bursar_agent_id
    assert (await writer.consume_credits_for_action("generate", metadata={"a": 1})).amount == 2
    assert (await writer.wallet()).available == Decimal(91)
    earned = await writer.earnings()
    assert earned is not None
    assert (earned.agent_id, earned.paid.amount) == (writer.bursar_agent_id, Decimal(0))


def test_agent_beside_a_model_of_pydantic() -> None:
    class Framework(BaseModel):
        role: str

    class Writer(Framework, Agent):
        tone: str = "dry"

    fake = FakeBursar(costs={"generate": 2})
    writer = Writer(role="writer")
    with pytest.raises(bursar.ConfigurationError, match="bursar_client"):
        writer.charge("generate")
    Writer.bursar_client = fake.client()
    assert writer.charge("generate").amount == 2
    assert writer.consume_credits_for_action("generate", agent_id="agt_1").agent_id == "agt_1"
    assert writer.model_dump() == {"role": "writer", "tone": "dry"}
