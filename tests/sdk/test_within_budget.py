from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

import bursar
from bursar.testing import FakeBursar

FIVE = """\
Daily Budget: 25 credits (remaining: 18.50)
Preferred Payment: Card, then TON wallet, then BTC wallet
Cost Tracking: Log all expenses and alternatives considered
Revenue Goal: Look for monetization opportunities
Economic Constraint: Stay within budget, prefer free solutions
"""


class Writer(bursar.AsyncAgent):
    pass


@pytest.fixture
async def client() -> AsyncIterator[bursar.AsyncBursar]:
    async with FakeBursar().async_client() as made:
        yield made


@pytest.fixture
async def writer(client: bursar.AsyncBursar) -> Writer:
    agent = await client.agents.create(name="Writer")
    made = Writer()
    made.bursar_client, made.bursar_agent_id = client, agent.id  # type: ignore[misc]
    subject = {"type": "agent", "id": agent.id}
    await client.budgets.create(subject=subject, limits=[{"window": "day", "amount": "25"}])
    return made


async def test_function_runs_only_while_its_amount_fits_and_an_exception_costs_nothing(
    client: bursar.AsyncBursar, writer: Writer
) -> None:
    runs = []

    @client.within_budget(10, agent_id=writer.bursar_agent_id or "")
    async def draw(fails: bool = False) -> str:
        runs.append(fails)
        if fails:
            raise LookupError
        return "drawn"

    with pytest.raises(LookupError):
        await draw(fails=True)
    assert [await draw(), await draw()] == ["drawn", "drawn"]
    with pytest.raises(bursar.SpendLimitExceeded):
        await draw()
    assert runs == [True, False, False]
    wallet = await writer.wallet()
    assert (wallet.available, wallet.budget and wallet.budget.remaining) == (Decimal(980), Decimal(5))
    [budget] = (await client.budgets.list().page()).data
    assert (budget.limits[0].operating.spent, budget.limits[0].operating.held) == (Decimal(20), Decimal(0))


async def test_an_agent_reads_its_lines(client: bursar.AsyncBursar, writer: Writer) -> None:
    await writer.charge(amount="6.50")
    assert await writer.prompt() == FIVE
    with bursar.context(agent_id=writer.bursar_agent_id):
        assert await client.prompt() == FIVE
    with pytest.raises(bursar.ConfigurationError):
        await client.prompt()
    other = await client.agents.create(name="Other")
    assert (await client.prompt(other.id)).startswith("Daily Budget: none set (remaining: not limited)\n")


async def test_pools_are_drawn_as_the_api_has_them(client: bursar.AsyncBursar) -> None:
    made = await client.budgets.create(
        subject={"type": "organization"},
        limits=[{"window": "week", "amount": "100"}],
        reserve="50",
        emergency="20",
        may_draw_reserve="10",
    )

    async def refused(**body: str) -> str:
        with pytest.raises(bursar.BursarError) as refusal:
            await client.credits.use(**body)
        assert isinstance(refusal.value, bursar.APIError)
        return refusal.value.code

    await client.credits.use(amount="30")
    assert await refused(amount="1") == "spend.limit_exceeded"
    await client.credits.use(amount="4", pool="reserve")
    await client.credits.use(amount="6", on_limit="reserve")
    assert await refused(amount="1", pool="reserve") == "spend.limit_exceeded"
    assert await refused(amount="1", pool="emergency") == "budget.pool_closed"
    [week] = (await client.budgets.get(made.id)).limits
    assert week.reserve is not None
    assert (week.operating.remaining, week.reserve.remaining) == (Decimal(0), Decimal(40))
    await client.budgets.freeze(made.id)
    assert await refused(amount="1", pool="reserve") == "spend.limit_exceeded"
    with pytest.raises(bursar.InvalidRequest):
        await client.budgets.create(subject={"type": "key", "id": "key_fake"}, limits=[], reserve="1")
