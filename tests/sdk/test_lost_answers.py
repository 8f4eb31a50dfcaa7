"""Answers that are lost at each place of a hold and of a metered function: what left is counted in the books."""

import asyncio
from decimal import Decimal

import pytest

from bursar import OutcomeUnknown
from tests.sdk.world import World

pytestmark = pytest.mark.db

#: Accepted and timed out, cut, 5xx after the commit, still worked on as it is sent again, never sent, and refused.
FAULTS = ["answer_lost", "connection_cut", "error_after_commit", "slow", "not_sent", "rate_limited"]


async def settled(world: World) -> tuple[list[str], Decimal, Decimal]:
    """Return what left, what is available and what is held, after all that was sent has been worked on."""
    await asyncio.gather(*world.wire.late)
    shown = await world.client().billing.get_balance()
    return await world.books(), shown.available, shown.reserved


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_answer_to_a_charge_pays_once(world: World, fault: str) -> None:
    world.wire.faults.append(fault)
    assert (await world.client().credits.use(amount=4)).amount == 4
    assert await settled(world) == (["4"], Decimal(96), Decimal(0))


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_answer_to_reserving_holds_once(world: World, fault: str) -> None:
    world.wire.faults.append(fault)
    async with world.client().hold("50") as hold:
        hold.use(4)
        assert (await world.client().billing.get_balance()).reserved == 50
    assert await settled(world) == (["4"], Decimal(96), Decimal(0))


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_answer_to_capturing_pays_once(world: World, fault: str) -> None:
    async with world.client().hold("50") as hold:
        hold.use(4)
        world.wire.faults.append(fault)
    assert await settled(world) == (["4"], Decimal(96), Decimal(0))


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_answer_to_releasing_gives_back_once(world: World, fault: str) -> None:
    async with world.client().hold("50"):
        world.wire.faults.append(fault)
    assert await settled(world) == ([], Decimal(100), Decimal(0))


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_answer_to_a_report_is_made_good_at_the_end(world: World, fault: str) -> None:
    async with asyncio.timeout(300), world.client(max_retries=1).hold("50", report_every=1) as hold:
        world.wire.faults.append(fault)
        hold.use(4)
        while await world.books() != ["4"]:  # noqa: ASYNC110 - the books have no event
            await asyncio.sleep(0)
        hold.use(2)
    left, available, held = await settled(world)
    assert sum(map(Decimal, left)) == 6
    assert (available, held) == (Decimal(94), Decimal(0))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["reserve", "capture", "beyond"])
async def test_lost_answer_in_a_metered_function_pays_once(world: World, fault: str, at: str) -> None:
    client = world.client()

    @client.metered("generate", quantity=len, estimate=2)
    async def words(text: str) -> list[str]:
        if at == "capture":
            world.wire.faults.append(fault)
        if at == "beyond":
            return [*text.split(), "more"]
        return text.split()

    if at == "reserve":
        world.wire.faults.append(fault)
    await words("two words")
    left, available, held = await settled(world)
    assert sum(map(Decimal, left)) == (6 if at == "beyond" else 4)
    assert (available, held) == (Decimal(100) - sum(map(Decimal, left)), Decimal(0))


@pytest.mark.parametrize("fault", ["answer_lost", "connection_cut", "error_after_commit"])
async def test_capture_whose_outcome_stays_open_says_so_and_the_same_work_again_pays_once(
    world: World, fault: str
) -> None:
    async def work() -> None:
        async with world.client(max_retries=1).hold("50", idempotency_key="job") as hold:
            hold.use(4)
            if not world.wire.late:
                world.wire.faults.extend([fault, fault])

    with pytest.raises(OutcomeUnknown):
        await work()
    world.wire.faults.clear()
    async with world.client().hold("50", idempotency_key="job") as again:
        again.use(4)
    assert again.settled_before
    assert await settled(world) == (["4"], Decimal(96), Decimal(0))
