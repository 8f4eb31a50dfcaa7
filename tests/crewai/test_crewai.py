"""A crew whose agents charge for what they do."""

from decimal import Decimal
from typing import Any, ClassVar

import pytest
from crewai import Agent, BaseLLM, Crew, Task
from crewai.tools import tool

import bursar
from bursar.testing import FakeBursar


class Model(BaseLLM):
    """Says one thing, whatever it is asked."""

    def call(self, messages: Any, *args: Any, **options: Any) -> str:
        return "Thought: I know it.\nFinal Answer: eleven kilometres"


@pytest.fixture
def fake() -> FakeBursar:
    return FakeBursar(credits="100", costs={"generate": "2", "research": "10"})


def member(fake: FakeBursar) -> Any:
    class Writer(Agent, bursar.Agent):
        bursar_client: ClassVar = fake.client()
        bursar_agent_id: ClassVar = "agt_writer"
        tone: str = "dry"

    return Writer(role="Writer", goal="Write", backstory="Writes.", llm=Model(model="fake"))


def test_member_of_a_crew_charges_and_holds(fake: FakeBursar) -> None:
    writer = member(fake)
    assert writer.tone == "dry"
    assert "bursar_client" not in writer.model_dump()
    assert writer.charge("generate").agent_id == "agt_writer"
    assert writer.consume_credits_for_action("generate", metadata={"draft": 1}).amount == 2
    with writer.hold("10", action="research") as hold:
        hold.use("3")
    assert writer.wallet().available == Decimal(93)
    assert fake.held == 0


def test_crew_is_paid_for_by_its_member(fake: FakeBursar) -> None:
    writer = member(fake)
    task = Task(description="How deep is the sea?", expected_output="A depth", agent=writer)
    with writer.hold("10", action="research") as hold:
        answer = Crew(agents=[writer], tasks=[task]).kickoff()
        hold.use("4")
    assert answer.raw == "eleven kilometres"
    assert [each.amount for each in fake.transfers] == [Decimal(4)]


def test_member_that_cannot_pay_ends_the_crew(fake: FakeBursar) -> None:
    writer = member(fake)

    def charged(output: Any) -> None:
        writer.charge("research", quantity=11)

    task = Task(description="How deep is the sea?", expected_output="A depth", agent=writer, callback=charged)
    with pytest.raises(bursar.InsufficientFunds):
        Crew(agents=[writer], tasks=[task]).kickoff()
    assert not fake.transfers


def test_tool_of_a_member_charges(fake: FakeBursar) -> None:
    writer = member(fake)

    @tool("search")
    def search(query: str) -> str:
        """Look something up."""
        writer.charge("generate", quantity=2)
        return query

    assert search.run(query="depth") == "depth"
    assert [each.amount for each in fake.transfers] == [Decimal(4)]
