"""Keys by where a call stands: the same when the same code runs again, and another for each call."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from bursar import AmbientKeyError, AsyncBursar, step
from bursar._keys import Scope, derived, fresh, opened
from bursar.testing import FakeBursar


def keys(fake: FakeBursar) -> list[str]:
    return [request.headers["idempotency-key"] for request in fake.requests if request.method == "POST"]


async def work(client: AsyncBursar) -> None:
    await client.credits.use(amount=1)
    await client.credits.use(amount=1)
    for _ in range(2):
        with step("mail"):
            await client.credits.use(amount=1)
    async with client.hold(5) as hold:
        hold.use(2)


async def run(fake: FakeBursar, *identity: str) -> list[str]:
    seen = len(keys(fake))
    async with fake.async_client() as client:
        with opened(Scope(*identity)):
            await work(client)
    return keys(fake)[seen:]


async def test_same_code_in_the_same_place_makes_the_same_keys_and_pays_once() -> None:
    fake = FakeBursar()
    first = await run(fake, "activity", "1")
    assert len(set(first)) == len(first) == 6
    paid = list(fake.transfers)
    assert (await run(fake, "activity", "1"))[:5] == first[:5]
    assert fake.transfers == paid
    assert not set(await run(fake, "activity", "2")) & set(first)
    assert fake.transfers == paid * 2


async def run_in_activity(fake: FakeBursar, **info: str | None) -> list[str]:
    seen, environment = len(keys(fake)), ActivityEnvironment()
    environment.info = replace(ActivityEnvironment.default_info(), **info)
    async with fake.async_client() as client:
        await environment.run(work, client)
    return keys(fake)[seen:]


async def test_activity_without_a_workflow_has_keys_of_each_of_its_runs() -> None:
    alone = dict.fromkeys(("workflow_id", "workflow_namespace", "workflow_run_id", "workflow_type"))
    fake = FakeBursar()
    first = await run_in_activity(fake, **alone, activity_id="charge", activity_run_id="run-1")
    again = await run_in_activity(fake, **alone, activity_id="charge", activity_run_id="run-1")
    assert again[:5] == first[:5]
    paid = list(fake.transfers)
    # Its id may be used again once it has ended: that is other work, which is paid for.
    second = await run_in_activity(fake, **alone, activity_id="charge", activity_run_id="run-2")
    assert not set(second) & set(first)
    assert fake.transfers == paid * 2
    elsewhere = await run_in_activity(fake, **alone, namespace="b", activity_id="charge", activity_run_id="run-1")
    assert not set(elsewhere) & set(first)


async def test_keys_of_an_activity_of_a_workflow_stay_what_they_were() -> None:
    identity = ("activity", "default", "test", "test-run", "test")
    named = {"workflow_namespace": "default", "workflow_id": "test", "workflow_run_id": "test-run"}
    in_activity = await run_in_activity(FakeBursar(), activity_id="test", **named)
    assert in_activity[:5] == (await run(FakeBursar(), *identity))[:5]


async def test_calls_at_once_need_steps() -> None:
    fake = FakeBursar()
    async with fake.async_client() as client:
        with opened(Scope("activity", "1")):
            async with client.hold(5):
                with pytest.raises(AmbientKeyError, match="step"):
                    await client.hold(5).__aenter__()

            async def named(name: str) -> None:
                with step(name):
                    async with client.hold(5) as hold:
                        hold.use(1)

            await asyncio.gather(named("a"), named("b"))
            with step("a"), pytest.raises(AmbientKeyError):
                await asyncio.gather(named("a"), named("a"))
    assert len(fake.transfers) >= 2


async def test_step_needs_something_that_it_is_a_step_of() -> None:
    with pytest.raises(AmbientKeyError, match="of="), step("alone"):
        pass
    fake = FakeBursar()
    async with fake.async_client() as client:
        for _ in range(2):
            with step("fee", of="order-17"):
                await client.credits.use(amount=1)
    assert len(set(keys(fake))) == len(fake.transfers) == 1


async def test_calls_anywhere_else_have_fresh_keys() -> None:
    fake = FakeBursar()
    async with fake.async_client() as client:
        await client.credits.use(amount=1)
        await client.credits.use(amount=1)
    assert len(set(keys(fake))) == len(fake.transfers) == 2


@pytest.mark.parametrize("given", ["", "x" * 256, "ä", " x", "a\nb"])
async def test_key_that_the_api_would_refuse_is_refused_at_once(given: str) -> None:
    async with FakeBursar().async_client() as client:
        with pytest.raises(ValueError, match="1 to 255"):
            await client.credits.use(amount=1, idempotency_key=given)


def test_pitfall_17_keys_are_bounded_and_look_like_no_card() -> None:
    made = [derived("x" * 10_000, "ä"), fresh(), derived("a", "b"), derived("ab")]
    assert len(set(made)) == 4
    assert all(len(key) < 64 and not any(letter.isdigit() for letter in key) for key in made)
