"""The client's operations on credits behave the same against the API and the fake."""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

import bursar
from bursar import Bursar, OutcomeUnknown
from tests.sdk.world import World

pytestmark = pytest.mark.db


async def left(world: World) -> list[str]:
    found: list[str] = await world.books()
    return found


async def balance(world: World) -> tuple[Decimal, Decimal]:
    shown = await world.client().billing.get_balance()
    return shown.available, shown.reserved


async def test_use_is_charged_at_the_cost_of_its_action(world: World) -> None:
    used = await world.client().credits.use(action="generate", quantity=3)
    assert (used.status, used.amount, used.available) == ("charged", Decimal(6), Decimal(94))
    assert await left(world) == ["6"]


@pytest.mark.parametrize("fault", ["answer_lost", "connection_cut", "error_after_commit", "not_sent", "rate_limited"])
async def test_lost_answer_pays_once(world: World, fault: str) -> None:
    world.wire.faults.extend([fault, fault])
    used = await world.client().credits.use(amount="12.5")
    assert used.amount == Decimal("12.5")
    assert await left(world) == ["12.5"]
    asked = [(request.headers["idempotency-key"], request.content) for request in world.wire.sent]
    assert len(asked) == 3
    assert len(set(asked)) == 1


@pytest.mark.parametrize("fault", ["answer_lost", "connection_cut", "error_after_commit"])
async def test_outcome_that_stays_open_is_unknown_and_its_key_finds_it(world: World, fault: str) -> None:
    world.wire.faults.extend([fault, fault])
    with pytest.raises(OutcomeUnknown) as unknown:
        await world.client(max_retries=1).credits.use(amount=4)
    assert await left(world) == ["4"]
    again = await world.client().credits.use(amount=4, idempotency_key=unknown.value.key)
    assert bursar.response_info(again).replayed
    assert await left(world) == ["4"]


async def test_request_that_was_never_sent_is_a_failed_connection(world: World) -> None:
    world.wire.faults.extend(["not_sent"] * 3)
    with pytest.raises(bursar.ConnectionFailed):
        await world.client(max_retries=2).credits.use(amount=4)
    assert await left(world) == []


async def test_refusals_have_their_class_code_and_members(world: World) -> None:
    client = world.client()
    with pytest.raises(bursar.InsufficientFunds) as poor:
        await client.credits.use(amount="100.01")
    assert (poor.value.status, poor.value.code) == (402, "ledger.insufficient_funds")
    assert poor.value.problem["needed"] == "100.01"
    assert poor.value.request_id
    await client.credits.use(amount=1, idempotency_key="one")
    with pytest.raises(bursar.IdempotencyConflict):
        await client.credits.use(amount=2, idempotency_key="one")
    with pytest.raises(bursar.NotFound):
        await client.credits.get_reservation("hold_00000000000000000000000000")
    with pytest.raises(bursar.InvalidRequest):
        await client.credits.use()
    assert await left(world) == ["1"]


async def test_call_with_an_expired_key_is_an_authentication_error(world: World) -> None:
    await world.expire_key()
    client = world.client()
    for call in (client.credits.use(amount=1), client.billing.get_balance()):
        with pytest.raises(bursar.AuthenticationError) as expired:
            await call
        assert (expired.value.status, expired.value.code) == (401, "auth.invalid")
    assert len(world.wire.sent) == 2, "what no key opens is not tried again"
    assert await left(world) == []


async def test_list_is_read_over_its_pages(world: World) -> None:
    client = world.client()
    for quantity in (1, 2, 3):
        await client.credits.use(action="api_call", quantity=quantity)
    listed = client.credits.list_usage(limit=2)
    assert [spend.quantity async for spend in listed] == [3, 2, 1]
    first = await listed.page()
    assert len(first.data) == 2
    assert first.next_cursor is not None


async def test_agents_and_contracts_are_made_once_and_read_back(world: World) -> None:
    client = world.client()
    agent = await client.agents.create(name="Writer", external_id="writer", metadata={"team": "a"})
    world.wire.faults.extend(["answer_lost"])
    made = await client.contracts.create(agent_id=agent.id, title="Report", price="12.5", external_id="order-1")
    assert (made.price, made.currency, made.status) == (Decimal("12.5"), "CREDIT", "accepted")
    assert (made.agent_name, made.organization_id) == ("Writer", agent.organization_id)
    assert (made.required_signatures, len(made.signatories)) == (1, 1)
    assert (await client.contracts.get(made.id)).model_dump() == made.model_dump()
    assert (await client.agents.get(agent.id)).model_dump() == agent.model_dump()
    assert [each.id async for each in client.contracts.list(agent_id=agent.id)] == [made.id]
    with pytest.raises(bursar.Conflict) as taken:
        await client.contracts.create(agent_id=agent.id, title="Other", price=1, external_id="order-1")
    assert (taken.value.code, taken.value.problem["id"]) == ("external_id.taken", made.id)


async def test_retired_agent_takes_no_contract(world: World) -> None:
    client = world.client()
    agent = await client.agents.create(name="Writer")
    retired = await client.agents.retire(agent.id)
    assert retired.retired_at is not None
    assert (await client.agents.retire(agent.id)).model_dump() == retired.model_dump()
    with pytest.raises(bursar.Conflict) as refused:
        await client.contracts.create(agent_id=agent.id, title="Report", price=5)
    assert refused.value.code == "agent.retired"
    assert datetime.fromisoformat(refused.value.problem["retired_at"]) == retired.retired_at


async def test_lists_of_objects_have_pages_filters_and_cursors(world: World) -> None:
    client = world.client()
    agents = [await client.agents.create(name=name) for name in ("One", "Two")]
    jobs = [await client.contracts.create(agent_id=agents[0].id, title=f"{n}", price=1) for n in range(3)]
    await client.contracts.create(agent_id=agents[1].id, title="other", price=1)
    listed = client.contracts.list(agent_id=agents[0].id, status=["accepted", "proposed"], limit=2)
    assert [each.id async for each in listed] == [each.id for each in reversed(jobs)]
    first = await listed.page()
    assert (len(first.data), (await listed.page(first.next_cursor)).next_cursor) == (2, None)
    with pytest.raises(bursar.InvalidRequest):
        await client.contracts.list().page("nonsense")


async def test_contract_that_cannot_be_is_refused(world: World) -> None:
    client = world.client()
    agent = await client.agents.create(name="Writer")
    with pytest.raises(bursar.InvalidRequest):
        await client.contracts.create(agent_id=agent.id, title="t", price=5, signatories=["a"], required_signatures=2)
    milestones: Any = [{"name": "one", "amount": "1"}, {"name": "two", "amount": "2"}]
    with pytest.raises(bursar.InvalidRequest):
        await client.contracts.create(agent_id=agent.id, title="t", price=5, milestones=milestones)
    with pytest.raises(bursar.NotFound):
        await client.contracts.create(agent_id="agt_" + "0" * 26, title="t", price=5)


async def test_lists_are_filtered_by_words_amounts_and_metadata(world: World) -> None:
    client, agent_id = world.client(), await world.agent_id()
    made = [
        (await client.contracts.create(agent_id=agent_id, title=title, price=price, metadata=metadata)).id
        for title, price, metadata in (("Tall tale", 1, {"team": "a b", "n": "1"}), ("Tall", 5, {}), ("Short", 5, {}))
    ]
    filters: list[tuple[dict[str, Any], list[str]]] = [
        ({"metadata": {"team": "a b"}, "status": ["accepted", "proposed"], "q": "t"}, [made[0]]),
        ({"q": "TALL"}, [made[1], made[0]]),
        ({"currency": "CREDIT", "min_amount": "1.01", "max_amount": 5}, [made[2], made[1]]),
        ({"q": "no such"}, []),
    ]
    for asked, found in filters:
        assert [contract.id async for contract in client.contracts.list(**asked)] == found
    with pytest.raises(bursar.InvalidRequest):
        await client.contracts.list(min_amount=1).page()
    other = await client.agents.create(name="Other")
    await client.agents.retire(agent_id)
    listed = client.agents.list(organization_id=other.organization_id, active=True)
    assert [each.id async for each in listed] == [other.id]


async def test_list_is_read_as_csv_over_lost_answers(world: World) -> None:
    client, agent_id = world.client(), await world.agent_id()
    titles = ['two, and "more"', "=1+1", "plain"]
    for number, title in enumerate(titles):
        await client.contracts.create(agent_id=agent_id, title=title, price=number + 1, signatories=["a", "b"])
    world.wire.faults.extend(["answer_lost", "error_after_commit"])
    lines = [line async for line in client.contracts.list(limit=1).csv()]
    rows = list(csv.DictReader(lines))
    assert [row["title"] for row in rows] == ["plain", "'=1+1", titles[0]]
    shown = [(row["price"], row["signatories"], row["metadata"], row["level"]) for row in rows]
    assert shown[0] == ("3.00", "a b", "{}", "")
    assert set(rows[0]) == set((await client.contracts.list().page()).data[0].model_dump(by_alias=True))
    with pytest.raises(bursar.InvalidRequest):
        await anext(client.contracts.list(limit=0).csv())

    def read() -> int:
        return len(list(csv.reader(threaded.contracts.list().csv())))

    threaded = world.threaded()
    assert await asyncio.to_thread(read) == 4


async def test_list_that_is_cut_is_an_error_and_never_short() -> None:
    class Cut(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"id,title\nctr_1,a"
            raise httpx2.RemoteProtocolError("cut")

    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Cut()))
    async with bursar.AsyncBursar("bsk_1", base_url="http://bursar.test", transport=transport) as client:
        lines = client.contracts.list().csv()
        assert await anext(lines) == "id,title\n"
        with pytest.raises(bursar.ConnectionFailed, match="not all"):
            await anext(lines)


async def test_hold_captures_what_was_used_and_gives_back_the_rest(world: World) -> None:
    async with world.client().hold("50", action="generate") as hold:
        assert await balance(world) == (Decimal(50), Decimal(50))
        hold.use("12.40")
        hold.use(Decimal("0.6"))
        assert (hold.used, hold.left) == (Decimal(13), Decimal(37))
    assert await balance(world) == (Decimal(87), Decimal(0))
    assert await left(world) == ["13"]


async def test_hold_lasts_for_as_long_as_its_block_runs(world: World) -> None:
    client = world.client()
    lasts = timedelta(minutes=5)

    async def ends(hold_id: str) -> datetime:
        found = (await client.credits.get_reservation(hold_id)).expires_at
        assert found is not None
        return found

    async with asyncio.timeout(300), client.hold("10", expires_in=lasts) as hold:
        first = await ends(hold.id)
        assert hold._keeper is not None
        assert hold._keeper._seconds == lasts.total_seconds() / 2
        hold._keeper.wake()
        while await ends(hold.id) == first:  # noqa: ASYNC110 - the hold has no event
            await asyncio.sleep(0.02)
        hold.use(3)

    def play(client: Bursar) -> None:
        with client.hold("10", expires_in=lasts) as hold:
            first = client.credits.get_reservation(hold.id).expires_at
            assert hold._keeper is not None
            hold._keeper.wake()
            while client.credits.get_reservation(hold.id).expires_at == first:
                pass
            hold.use(4)

    await asyncio.to_thread(play, world.threaded())
    assert await left(world) == ["3", "4"]
    assert await balance(world) == (Decimal(93), Decimal(0))


async def test_hold_that_nothing_was_used_of_is_released(world: World) -> None:
    async with world.client().hold("50"):
        pass
    assert await balance(world) == (Decimal(100), Decimal(0))
    assert await left(world) == []


@pytest.mark.parametrize("raised", [ValueError, asyncio.CancelledError])
async def test_exception_and_cancellation_capture_what_was_noted(world: World, raised: type[BaseException]) -> None:
    async def work() -> None:
        async with world.client().hold("50") as hold:
            hold.use(3)
            raise raised

    with pytest.raises(raised):
        await work()
    assert await balance(world) == (Decimal(97), Decimal(0))
    assert await left(world) == ["3"]


async def test_lost_answers_of_a_hold_pay_once(world: World) -> None:
    world.wire.faults.extend(["answer_lost"])
    async with world.client().hold("50") as hold:
        hold.use(3)
        world.wire.faults.extend(["error_after_commit", "connection_cut"])
    assert await balance(world) == (Decimal(97), Decimal(0))
    assert await left(world) == ["3"]


async def test_more_than_is_held_is_refused_and_what_is_held_is_paid(world: World) -> None:
    async def work() -> None:
        async with world.client().hold("10") as hold:
            hold.use(8)
            hold.use(5)

    with pytest.raises(bursar.HoldExceeded) as exceeded:
        await work()
    assert exceeded.value.excess == Decimal(3)
    assert await left(world) == ["10"]


async def reported(world: World, *amounts: str) -> None:
    while await left(world) != list(amounts):  # noqa: ASYNC110 - the books have no event
        await asyncio.sleep(0)


async def test_use_is_reported_at_set_amounts_for_a_process_that_dies(world: World) -> None:
    """Reported usage stays charged; the rest of the hold is released at its expiry."""
    async with asyncio.timeout(300), world.client().hold("50", report_every=5) as hold:
        hold.use(4)
        hold.use(2)
        await reported(world, "6")
        hold.use(1)
    assert await left(world) == ["6", "1"]
    assert await balance(world) == (Decimal(93), Decimal(0))


async def run_of(world: World, used: int, *, dies: bool = False) -> None:
    """Run what has one key for its hold; a process that dies never leaves its block."""
    hold = world.client().hold("50", report_every=1, idempotency_key="job-1")
    async with asyncio.timeout(300):
        await hold.__aenter__()
        hold.use(used)
        if dies:
            await reported(world, str(used))
            assert hold._keeper is not None
            await hold._keeper.stop()
        else:
            await hold.__aexit__(None, None, None)


async def test_repeated_work_goes_on_with_its_hold_and_pays_once(world: World) -> None:
    await run_of(world, 4, dies=True)
    await run_of(world, 6)
    assert await left(world) == ["4", "2"]
    await run_of(world, 6)
    assert await left(world) == ["4", "2"]
    assert await balance(world) == (Decimal(94), Decimal(0))


async def test_two_runs_of_one_hold_at_once_pay_for_the_longer_one(world: World) -> None:
    """An activity that timed out goes on during the next attempt; both have seen nothing captured."""
    first, second = (world.client().hold("50", idempotency_key="job-2") for _ in range(2))
    await first.__aenter__()
    await second.__aenter__()
    first.use(3)
    second.use(5)
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)
    assert await left(world) == ["3"]
    assert await balance(world) == (Decimal(97), Decimal(0))


async def test_metered_coroutine_is_charged_by_its_result(world: World) -> None:
    client = world.client()

    @client.metered("generate", quantity=len, estimate=5)
    async def words(text: str) -> list[str]:
        return text.split()

    assert await words("two words") == ["two", "words"]
    assert await left(world) == ["4"]
    assert await balance(world) == (Decimal(96), Decimal(0))
    await words("seven words are two more than estimated")
    assert sorted(await left(world)) == ["10", "4", "4"]


async def test_metered_result_that_does_not_tell_its_units_is_charged_as_estimated(world: World) -> None:
    """A missing quantity is not zero."""
    client = world.client()

    @client.metered("generate", quantity=lambda words: len(words) or None, estimate=5)
    async def words(text: str) -> list[str]:
        return text.split()

    assert await words("") == []
    assert await left(world) == ["10"]


async def test_metered_coroutine_that_raises_is_charged_only_if_it_says_so(world: World) -> None:
    client = world.client()

    async def fails(error: Exception) -> None:
        raise error

    metered = client.metered("generate", charged_errors=(LookupError,))(fails)
    with pytest.raises(ValueError, match="no"):
        await metered(ValueError("no"))
    assert await left(world) == []
    with pytest.raises(KeyError):
        await metered(KeyError("yes"))
    assert await left(world) == ["2"]
    assert await balance(world) == (Decimal(98), Decimal(0))


async def test_metered_stream_that_is_closed_early_is_charged_for_what_came(world: World) -> None:
    client = world.client()

    @client.metered("api_call", estimate=10)
    async def tokens() -> AsyncIterator[str]:
        for token in "abcdef":
            yield token

    stream = tokens()
    assert [await anext(stream), await anext(stream)] == ["a", "b"]
    await stream.aclose()  # type: ignore[attr-defined]
    assert await left(world) == ["2"]
    assert [token async for token in tokens()] == list("abcdef")
    assert await left(world) == ["2", "6"]
    assert await balance(world) == (Decimal(92), Decimal(0))


async def test_metered_stream_whose_cleanup_fails_is_charged_for_what_came(world: World) -> None:
    @world.client().metered("generate", estimate=10)
    async def tokens() -> AsyncIterator[str]:
        try:
            for token in "abcdef":
                yield token
        finally:
            raise OSError("the connection is gone")

    stream = tokens()
    assert [await anext(stream), await anext(stream)] == ["a", "b"]
    with pytest.raises(OSError, match="gone"):
        await stream.aclose()  # type: ignore[attr-defined]
    assert await left(world) == ["4"]


async def test_metered_stream_beyond_what_can_be_paid_is_charged_for_what_came(world: World) -> None:
    client, given = world.client(), list[str]()

    @client.metered("generate", estimate=49)
    async def tokens() -> AsyncIterator[str]:
        while True:
            yield "token"

    async def read() -> None:
        async for token in tokens():
            given.append(token)

    async with client.hold("1"):
        with pytest.raises(bursar.InsufficientFunds):
            await read()
    assert len(given) == 49
    assert await left(world) == ["98"]


async def test_context_attributes_what_is_charged_inside(world: World) -> None:
    client = world.client()
    with bursar.context(run_id="run-1"):
        assert (await client.credits.use(amount=1)).run_id == "run-1"
        async with client.hold(5) as hold:
            found = await client.credits.get_reservation(hold.id)
        assert found.run_id == "run-1"
        assert (await client.credits.use(amount=1, run_id="run-2")).run_id == "run-2"
    assert (await client.credits.use(amount=1)).run_id is None


async def test_context_names_agent_department_and_project_too(world: World) -> None:
    client = world.client()
    department = (await client.departments.create(name="Research")).id
    project = (await client.projects.create(name="Summaries")).id
    named = {"agent_id": await world.agent_id(), "department_id": department, "project_id": project}

    @client.metered("generate")
    async def generate() -> None:
        return None

    with bursar.context(**named, run_id="run-1"):
        await client.credits.use(amount=1)
        await generate()
    spends = [each.model_dump() async for each in client.credits.list_usage()]
    assert [{name: spend[name] for name in named} for spend in spends] == [named, named]


async def test_client_for_threads_does_the_same(world: World) -> None:
    client = world.threaded()
    world.wire.faults.extend(["answer_lost"])

    def play(client: Bursar) -> Any:
        @client.metered("api_call", estimate=4)
        def tokens() -> Iterator[str]:
            yield from "abc"

        @client.metered("generate")
        def generate() -> str:
            return "text"

        with client.hold("50") as hold:
            hold.use("12.40")
        assert list(tokens()) == list("abc")
        assert generate() == "text"
        return [spend.captured for spend in client.credits.list_usage(limit=2)]

    assert await asyncio.to_thread(play, client) == [Decimal(2), Decimal(3), Decimal("12.4")]
    assert await left(world) == ["12.4", "3", "2"]
    assert await balance(world) == (Decimal("82.6"), Decimal(0))
