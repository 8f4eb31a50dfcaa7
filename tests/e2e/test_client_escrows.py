"""Escrows and the summary by the Python client, against the running stack and against the fake: the same."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import pytest

import bursar
from bursar import AsyncBursar, models
from bursar.testing import FakeBursar, Transfer
from tests.e2e.conftest import World, good


@dataclass
class Market:
    """An organization with 100 credits and an agent: keys of its owner and finance, of a validator and an arbiter."""

    owner: AsyncBursar
    finance: AsyncBursar
    validator: AsyncBursar
    arbiter: AsyncBursar
    agent_id: str = ""
    fake: FakeBursar | None = None

    async def escrow(self, price: str = "20", *, status: str = "open", **terms: Any) -> models.EscrowView:
        """Return an escrow that was brought to a state: open, funded, delivered or disputed."""
        contract = await self.owner.contracts.create(agent_id=self.agent_id, title="Report", price=price, **terms)
        escrow = await self.owner.escrows.create(contract_id=contract.id)
        if status != "open":
            await self.owner.escrows.fund(escrow.id, source="credits")
        if status in {"delivered", "disputed"}:
            await self.owner.escrows.deliver(escrow.id, note="Done")
        if status == "disputed":
            await self.owner.escrows.open_dispute(escrow.id, reason="No")
        escrow = await self.owner.escrows.get(escrow.id)
        assert escrow.status == status
        return escrow

    async def credits(self) -> models.AssetSummaryView:
        """Return what the summary says of credits, whose parts add up."""
        summary = await self.owner.billing.get_summary()
        [credits] = [each for each in summary.assets if each.currency == "CREDIT"]
        assert credits.total == credits.available + credits.held + credits.in_escrow + credits.earnings.total
        assert sum(each.total for each in summary.earnings) == credits.earnings.total
        assert sum(each.amount for each in summary.escrows) == credits.in_escrow
        return credits


@pytest.fixture(params=["api", "fake"])
async def market(request: pytest.FixtureRequest) -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        if request.param == "fake":
            fake = FakeBursar(credits="100")
            roles = ("owner", "finance", "validator", "arbiter")
            owner, finance, validator, arbiter = (fake.async_client(principal=role) for role in roles)
            found = Market(owner, finance, validator, arbiter, fake=fake)
        else:
            running = request.getfixturevalue("live_stack")
            http = httpx2.AsyncClient(base_url=running.api_url, trust_env=False, timeout=60)
            world = World(running, await stack.enter_async_context(http))
            org_id, keys = await world.tenant("owner", "finance")
            grant = {"organization_id": org_id, "amount": "100", "source": "promotion"}
            good(await world.operator.post("/credits/grants", grant), 201)
            tokens = [keys["owner"].token, keys["finance"].token, world.validator.token, world.arbiter.token]
            found = Market(*(AsyncBursar(token, base_url=running.api_url) for token in tokens))
        for client in (found.owner, found.finance, found.validator, found.arbiter):
            await stack.enter_async_context(client)
        found.agent_id = (await found.owner.agents.create(name="Writer")).id
        yield found


def shares(escrow: models.EscrowView) -> tuple[Decimal, ...]:
    return escrow.funded_amount, escrow.released_amount, escrow.commission_amount, escrow.refunded_amount


def numbers(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


async def test_escrow_is_released_by_as_many_approvals_as_it_needs(market: Market) -> None:
    escrows = market.owner.escrows
    made = await market.escrow("20.5", signatories=["finance", "owner"], required_signatures=2)
    assert made.model_fields_set >= set(models.EscrowView.model_fields)
    assert (made.amount, made.signatories, shares(made)) == (Decimal("20.5"), ["finance", "owner"], numbers(*"0000"))
    assert made.deadlines.fund_by is not None
    funded = await escrows.fund(made.id, source="credits", idempotency_key="fund")
    again = await escrows.fund(made.id, source="credits", idempotency_key="fund")
    assert (funded.status, again.version) == ("funded", funded.version)
    assert bursar.response_info(again).replayed
    delivered = await escrows.deliver(made.id, artifacts=[{"uri": "https://files.test/report.pdf"}], note="Done")
    assert delivered.delivery is not None
    assert delivered.delivery.number == delivered.version
    assert delivered.delivery.artifacts == [{"uri": "https://files.test/report.pdf", "sha256": None}]
    signed = await escrows.approve(made.id, delivery=delivered.delivery.number)
    assert (signed.status, [each.signatory for each in signed.signatures]) == ("delivered", ["owner"])
    with pytest.raises(bursar.Conflict) as twice:
        await escrows.approve(made.id)
    assert twice.value.code == "escrow.already_signed"
    released = await market.finance.escrows.approve(made.id)
    assert (released.status, shares(released)) == ("released", numbers("20.5", "19.475", "1.025", "0"))
    assert (await escrows.get(made.id)).model_dump() == released.model_dump()
    credits = await market.credits()
    assert (credits.available, credits.in_escrow, credits.earnings.own_work) == numbers("79.5", "0", "19.475")
    if market.fake is not None:
        moved = [("fund", Decimal("20.5")), ("release", Decimal("19.475")), ("commission", Decimal("1.025"))]
        assert market.fake.transfers == [Transfer(*each) for each in moved]


async def test_command_in_another_state_is_a_conflict_and_changes_nothing(market: Market) -> None:
    escrows = market.owner.escrows
    made = await market.escrow("5")
    for command in (escrows.deliver(made.id), escrows.approve(made.id), escrows.refund(made.id)):
        with pytest.raises(bursar.Conflict) as early:
            await command
        assert (early.value.code, early.value.problem["state"]) == ("escrow.wrong_state", "open")
    assert (await escrows.get(made.id)).version == made.version
    ended = await escrows.cancel(made.id)
    assert (ended.status, shares(ended)) == ("cancelled", numbers(*"0000"))
    late_ones: list[Coroutine[Any, Any, Any]] = [escrows.fund(made.id), escrows.open_dispute(made.id, reason="No")]
    for late_one in (*late_ones, escrows.cancel(made.id)):
        with pytest.raises(bursar.Conflict) as late:
            await late_one
        assert (late.value.code, late.value.problem["state"]) == ("escrow.wrong_state", "cancelled")


async def test_what_an_escrow_cannot_do_is_refused(market: Market) -> None:
    escrows = market.owner.escrows
    dear = await market.escrow("100.01")
    with pytest.raises(bursar.InsufficientFunds) as poor:
        await escrows.fund(dear.id)
    assert (poor.value.status, poor.value.code) == (402, "ledger.insufficient_funds")
    with pytest.raises(bursar.Conflict) as twice:
        await escrows.create(contract_id=dear.contract_id)
    assert (twice.value.code, twice.value.problem["escrow_id"]) == ("escrow.exists", dear.id)
    with pytest.raises(bursar.Conflict) as other:
        await escrows.create(contract_id=dear.contract_id, amount="100")
    assert other.value.code == "escrow.amount_mismatch"
    with pytest.raises(bursar.NotFound):
        await escrows.create(contract_id="ctr_" + "0" * 26)
    with pytest.raises(bursar.NotFound):
        await escrows.fund("esc_" + "0" * 26)
    delivered = await market.escrow("5", status="delivered")
    with pytest.raises(bursar.APIError) as stranger:
        await market.finance.escrows.approve(delivered.id)
    assert (stranger.value.status, stranger.value.code) == (403, "escrow.not_a_signatory")
    with pytest.raises(bursar.Conflict) as stale:
        await escrows.approve(delivered.id, delivery=1)
    assert stale.value.code == "escrow.delivery_changed"
    with pytest.raises(bursar.APIError) as much:
        await escrows.refund(delivered.id, amount="5.01")
    assert (much.value.status, much.value.code) == (422, "escrow.refund_exceeds_held")
    assert much.value.problem["held"] == "5.00"


async def test_refund_cancel_and_dispute_return_what_is_due_and_the_summary_adds_up(market: Market) -> None:
    escrows = market.owner.escrows
    reserved = await market.owner.credits.reserve(amount=10)
    partly, cancelled, disputed = [await market.escrow(status=status) for status in ("delivered", "funded", "disputed")]
    credits = await market.credits()
    assert (credits.available, credits.held, credits.in_escrow, credits.pending) == numbers("30", "10", "60", "60")
    summary = await market.owner.billing.get_summary()
    assert summary.model_fields_set >= set(models.SummaryView.model_fields)
    assert {each.id: (each.role, each.status, each.amount) for each in summary.escrows} == {
        partly.id: ("both", "delivered", Decimal(20)),
        cancelled.id: ("both", "funded", Decimal(20)),
        disputed.id: ("both", "disputed", Decimal(20)),
    }
    assert (await escrows.refund(partly.id, amount="8")).status == "delivered"
    paid = await escrows.approve(partly.id)
    assert (paid.status, shares(paid)) == ("released", numbers("20", "11.4", "0.6", "8"))
    ended = await escrows.cancel(cancelled.id, reason="No longer needed")
    assert (ended.status, shares(ended)) == ("cancelled", numbers("20", "0", "0", "20"))
    assert disputed.dispute is not None
    assert (disputed.dispute.reason, disputed.dispute.payee_share) == ("No", None)
    decided = await market.arbiter.escrows.resolve_dispute(disputed.id, payee_share="0.25", note="A quarter")
    assert (decided.status, shares(decided)) == ("split", numbers("20", "4.75", "0.25", "15"))
    assert decided.dispute is not None
    assert (decided.dispute.payee_share, decided.dispute.resolution_note) == ("0.25", "A quarter")
    await market.owner.credits.release(reservation_id=reserved.id)
    credits = await market.credits()
    assert (credits.available, credits.held, credits.in_escrow) == numbers("83", "0", "0")
    assert credits.earnings.own_work == Decimal("16.15")
    refunded = await escrows.refund((await market.escrow("3", status="funded")).id)
    assert (refunded.status, shares(refunded)) == ("refunded", numbers("3", "0", "0", "3"))


async def test_milestones_are_delivered_and_released_one_by_one(market: Market) -> None:
    escrows = market.owner.escrows
    milestones: Any = [{"name": "draft", "amount": "5"}, {"name": "final", "amount": "15"}]
    made = await market.escrow("20", status="funded", milestones=milestones, validation_threshold="0.9")
    with pytest.raises(bursar.InvalidRequest):
        await escrows.deliver(made.id, milestone="other")
    await escrows.deliver(made.id)
    with pytest.raises(bursar.Conflict) as early:
        await escrows.deliver(made.id, milestone="final")
    assert early.value.code == "escrow.wrong_state"
    first = await escrows.approve(made.id)
    assert (first.status, shares(first)) == ("funded", numbers("20", "4.75", "0.25", "0"))
    assert [(each.name, each.status) for each in first.milestones] == [("draft", "released"), ("final", "pending")]
    with pytest.raises(bursar.Conflict) as done:
        await escrows.deliver(made.id, milestone="draft")
    assert done.value.code == "escrow.milestone_released"
    delivered = await escrows.deliver(made.id)
    assert (delivered.delivery and delivered.delivery.milestone, delivered.signatures) == ("final", [])
    scored = await market.validator.escrows.validate(made.id, score="0.5")
    assert (scored.status, scored.validation_score) == ("delivered", "0.50")
    last = await market.validator.escrows.validate(made.id, score="0.9")
    assert (last.status, shares(last)) == ("released", numbers("20", "19", "1", "0"))


async def test_escrows_are_listed_by_pages_and_filters(market: Market) -> None:
    escrows = market.owner.escrows
    made = [await market.escrow("1", status=status) for status in ("open", "funded", "open")]
    listed = escrows.list(limit=2)
    assert [each.id async for each in listed] == [each.id for each in reversed(made)]
    first = await listed.page()
    assert (len(first.data), (await listed.page(first.next_cursor)).next_cursor) == (2, None)
    waiting = escrows.list(status=["open", "delivered"], agent_id=market.agent_id)
    assert [each.id async for each in waiting] == [made[2].id, made[0].id]
    found = escrows.list(contract_id=made[1].contract_id)
    assert [each.status async for each in found] == ["funded"]
    with pytest.raises(bursar.InvalidRequest):
        await escrows.list().page("nonsense")
