"""External purchases behave the same against the API and against the fake."""

from decimal import Decimal
from typing import Any

import pytest

import bursar
from bursar import AsyncBursar, AsyncPurchase, PurchaseNotApproved
from tests.api.purchasing import ALTERNATIVE, budget
from tests.sdk.world import World

pytestmark = pytest.mark.db

#: The cost, the form and the words of an alternative are the same for a machine.
LOOKED_AT: Any = [ALTERNATIVE]


async def buyer(world: World, usd: int | None = 25) -> str:
    """Return an agent that may buy up to the amount without a person; None for nothing."""
    agent = await world.agent_id()
    if usd is not None and world.fake is not None:
        world.fake.purchases["USD"] = Decimal(usd)
    elif usd is not None:
        await budget(world.more["database"], world.more["org_id"], lifetime=usd)
    return agent


async def person(world: World) -> AsyncBursar:
    """Return the client of a person who may approve."""
    token = "bsk_person" if world.fake else world.more["tenant"].callers["finance"].token
    return AsyncBursar(token, base_url=world.url, transport=world.wire)


def editor(client: AsyncBursar, agent: str, amount: str = "10", **more: Any) -> AsyncPurchase:
    asked = {"vendor": "GitHub", "category": "coding", "currency": "USD", "why": "It completes code."} | more
    return client.purchase_order("Editor", amount=amount, agent_id=agent, **{"alternatives": LOOKED_AT, **asked})


async def orders(client: AsyncBursar) -> list[tuple[str, Decimal, str | None]]:
    found = [each async for each in client.purchase_orders.list()]
    return [(each.status, each.spent, each.alternative_action) for each in found]


async def test_purchase_is_approved_attempted_and_paid(world: World) -> None:
    client, agent = world.client(), await buyer(world)
    async with editor(client, agent) as order:
        assert (order.view.status, order.is_purchased) == ("approved", False)
        await order.attempt("card_primary")
        await order.declined(reference="ch_1")
        await order.attempt("card_primary")
        await order.succeeded("9.50", fee="0.50", reference="ch_2")
        assert order.is_purchased
    shown = await client.purchase_orders.get(order.view.id)
    assert [(each.number, each.status, each.reference) for each in shown.attempts] == [
        (1, "declined", "ch_1"),
        (2, "succeeded", "ch_2"),
    ]
    assert (shown.attempts[1].amount, shown.attempts[1].fee) == (Decimal("9.5"), Decimal("0.5"))
    assert await orders(client) == [("purchased", Decimal("9.5"), None)]
    # What was held and not charged can be spent again, and no more.
    with pytest.raises(PurchaseNotApproved) as refused:
        async with editor(client, agent, "15.51"):
            raise AssertionError("It does not fit.")
    assert (refused.value.status, refused.value.remaining) == ("declined_over_budget", Decimal("15.5"))
    assert refused.value.currency == "USD"
    assert refused.value.sentence in str(refused.value)


async def test_exception_abandons_the_purchase_and_the_alternative_is_logged(world: World) -> None:
    client, agent = world.client(), await buyer(world, 10)
    with pytest.raises(KeyError):
        async with editor(client, agent):
            raise KeyError("lost")
    async with editor(client, agent) as order:
        order.instead("Codeium", saved="10")
    async with editor(client, agent) as order:
        await order.attempt("card_primary")
        await order.declined()
    assert await orders(client) == [
        ("abandoned", Decimal(0), None),
        ("abandoned", Decimal(0), "Codeium"),
        ("abandoned", Decimal(0), None),
    ]


async def test_attempt_without_a_result_is_unknown_and_keeps_its_hold(world: World) -> None:
    client, agent = world.client(), await buyer(world, 10)
    order = editor(client, agent, idempotency_key="editor-1")

    async def interrupted() -> None:
        async with order:
            await order.attempt("card_primary")
            raise KeyError("the card's server is away")

    with pytest.raises(KeyError):
        await interrupted()
    with pytest.raises(PurchaseNotApproved):
        async with editor(client, agent):
            raise AssertionError("It is held still.")
    # A second run does not pay again before somebody knows.
    async with editor(client, agent, idempotency_key="editor-1") as again:
        assert again.view.id == order.view.id
        with pytest.raises(bursar.Conflict) as blocked:
            await again.attempt("card_primary")
        assert blocked.value.code == "purchase_order.attempt_open"
        await again.succeeded()
    async with editor(client, agent, idempotency_key="editor-1") as paid:
        assert paid.is_purchased


@pytest.mark.parametrize("fault", ["answer_lost", "connection_cut", "error_after_commit", "not_sent"])
async def test_lost_answers_buy_once(world: World, fault: str) -> None:
    client, agent = world.client(), await buyer(world)
    world.wire.faults.append(fault)
    async with editor(client, agent) as order:
        world.wire.faults.append(fault)
        await order.attempt("card_primary")
        world.wire.faults.append(fault)
        await order.succeeded()
    assert await orders(client) == [("purchased", Decimal(10), None)]
    assert len((await client.purchase_orders.get(order.view.id)).attempts) == 1


async def test_abandoned_purchase_can_be_requested_again(world: World) -> None:
    client, agent = world.client(), await buyer(world, 10)
    for _ in range(2):
        with pytest.raises(KeyError), bursar.step("buy", of="editor-2"):
            async with editor(client, agent):
                raise KeyError("lost")
    with bursar.step("buy", of="editor-2"):
        async with editor(client, agent) as order:
            await order.attempt("card_primary")
            await order.succeeded()
    assert [status for status, *_ in await orders(client)] == ["purchased", "abandoned", "abandoned"]


async def test_repeated_key_continues_after_approval(world: World) -> None:
    approver = await person(world)
    client, agent = world.client(), await buyer(world, None)

    async def bought() -> str:
        async with editor(client, agent, idempotency_key="editor-3") as order:
            await order.attempt("card_primary")
            await order.succeeded()
        return order.view.status

    with pytest.raises(PurchaseNotApproved) as waiting:
        await bought()
    assert waiting.value.status == "needs_approval"
    shown = await client.purchase_orders.get(waiting.value.order_id)
    with pytest.raises(bursar.PermissionDenied):
        await client.purchase_orders.grant(shown.id, digest=shown.digest)
    with pytest.raises(bursar.Conflict):
        await approver.purchase_orders.grant(shown.id, digest="0" * 64)
    if world.fake is None:
        # Without a budget nothing counts it, and a person has said that this is right.
        assert shown.decision.code == "no_budget"
    await approver.purchase_orders.grant(shown.id, digest=shown.digest)
    assert await bought() == "purchased"
    back = await client.purchase_orders.refund(shown.id, amount="4")
    assert (back.refunded, back.persons, len(back.grants)) == (Decimal(4), 1, 1)
    with pytest.raises(bursar.InvalidRequest):
        await client.purchase_orders.refund(shown.id, amount="6.01")


async def test_person_corrects_a_charge_up_and_down(world: World) -> None:
    client, agent = world.client(), await buyer(world)
    async with editor(client, agent) as order:
        await order.attempt("card_primary")
        await order.succeeded("8")
    known = order.view.id
    read = (await client.purchase_orders.get(known)).reported.digest
    with pytest.raises(bursar.Conflict):
        await client.purchase_orders.confirm(known, charged="9", refunded="0", digest="0" * 64, reason="The receipt.")
    with pytest.raises(bursar.InvalidRequest):
        await client.purchase_orders.confirm(known, charged="9", refunded="0", digest=read)
    for charged, refunded, left in (("9", "0", "16"), ("2", "1", "24"), ("10", "0", "15")):
        now = await client.purchase_orders.confirm(
            known, charged=charged, refunded=refunded, digest=read, reason="The receipt."
        )
        read = now.reported.digest
        assert (now.spent, now.refunded, now.unconfirmed_since) == (Decimal(charged), Decimal(refunded), None)
        assert (now.reported.charged, now.reported.refunded) == (Decimal(charged), Decimal(refunded))
        with pytest.raises(PurchaseNotApproved) as refused:
            async with editor(client, agent, f"{left}.01"):
                raise AssertionError("It does not fit.")
        assert refused.value.remaining == Decimal(left)


async def test_refused_purchase_and_one_without_alternatives_are_distinguished(world: World) -> None:
    approver = await person(world)
    client, agent = world.client(), await buyer(world, 5)
    with pytest.raises(PurchaseNotApproved) as bare:
        async with editor(client, agent, alternatives=[]):
            raise AssertionError("It has no alternatives.")
    assert bare.value.status == "needs_alternatives"
    with pytest.raises(PurchaseNotApproved) as waiting:
        async with editor(client, agent, on_limit="ask", idempotency_key="editor-4"):
            raise AssertionError("It waits.")
    assert waiting.value.status == "needs_approval"
    await approver.purchase_orders.refuse(waiting.value.order_id, reason="Too dear")
    with pytest.raises(PurchaseNotApproved) as refused:
        async with editor(client, agent, on_limit="ask", idempotency_key="editor-4"):
            raise AssertionError("It was refused.")
    assert refused.value.status == "declined_policy"
    given_up = await client.purchase_orders.abandon(bare.value.order_id, alternative_action="Codeium", saved="10")
    assert (given_up.status, given_up.saved) == ("abandoned", Decimal(10))


async def test_answers_have_every_member_and_agent_and_project_come_from_the_context(world: World) -> None:
    client, agent = world.client(), await buyer(world)
    with bursar.context(agent_id=agent, run_id="run-1"):
        order = client.purchase_order(
            *("Editor",), vendor="G", category="c", amount=1, currency="USD", why="w", alternatives=LOOKED_AT
        )
    async with order:
        missing = set(type(order.view).model_fields) - set(order.view.model_dump())
        assert (missing, order.view.agent_id) == (set(), agent)
        with pytest.raises(ValueError, match="Nothing was attempted"):
            await order.succeeded()


def test_threaded_client_buys_like_the_async_one() -> None:
    fake = bursar.testing.FakeBursar(purchases={"USD": "10"})
    with fake.client() as client:
        agent = client.agents.create(name="Buyer").id
        with client.purchase_order(
            *("Editor",),
            agent_id=agent,
            vendor="GitHub",
            category="coding",
            amount="10",
            currency="USD",
            why="It completes code.",
            alternatives=LOOKED_AT,
        ) as order:
            order.attempt("card_primary")
            order.succeeded()
        assert order.is_purchased
    assert fake.purchases == {"USD": 0}
