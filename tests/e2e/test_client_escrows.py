"""Escrows and the summary by the Python client, against the running stack and against the fake: the same."""

from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest

import bursar
from bursar import models
from bursar.testing import Transfer
from tests.e2e.market import Market, numbers, shares


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
    assert delivered.delivery.number == 1
    assert delivered.delivery.artifacts == [{"uri": "https://files.test/report.pdf", "sha256": None}]
    signed = await escrows.approve(made.id, delivery=delivered.delivery.number)
    assert (signed.status, [each.signatory for each in signed.signatures]) == ("delivered", ["owner"])
    with pytest.raises(bursar.Conflict) as twice:
        await escrows.approve(made.id)
    assert twice.value.code == "escrow.already_signed"
    released = await market.finance.escrows.approve(made.id)
    assert (released.status, shares(released)) == ("released", numbers("20.5", "19.475", "1.025", "0"))
    assert (await escrows.get(made.id)).model_dump() == released.model_dump()
    credits = await market.assets()
    assert (credits.available, credits.in_escrow, credits.earnings.own_work) == numbers("79.5", "0", "19.475")
    if market.fake is not None:
        moved = [("fund", Decimal("20.5")), ("release", Decimal("19.475")), ("commission", Decimal("1.025"))]
        assert market.fake.transfers == [Transfer(*each) for each in moved]


async def test_command_in_another_state_is_a_conflict_and_changes_nothing(market: Market) -> None:
    escrows = market.owner.escrows
    made = await market.escrow("5")
    for command in (escrows.deliver(made.id, note="Done"), escrows.approve(made.id), escrows.refund(made.id)):
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
        await escrows.approve(delivered.id, delivery=2)
    assert stale.value.code == "escrow.delivery_changed"
    with pytest.raises(bursar.APIError) as much:
        await escrows.refund(delivered.id, amount="5.01")
    assert (much.value.status, much.value.code) == (422, "escrow.refund_exceeds_held")
    assert much.value.problem["held"] == "5.00"


async def test_refund_cancel_and_dispute_return_what_is_due_and_the_summary_adds_up(market: Market) -> None:
    escrows = market.owner.escrows
    reserved = await market.owner.credits.reserve(amount=10)
    partly, cancelled, disputed = [await market.escrow(status=status) for status in ("delivered", "funded", "disputed")]
    credits = await market.assets()
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
    assert (decided.dispute.payee_share, decided.dispute.resolution_note) == (Decimal("0.25"), "A quarter")
    await market.owner.credits.release(reservation_id=reserved.id)
    credits = await market.assets()
    assert (credits.available, credits.held, credits.in_escrow) == numbers("83", "0", "0")
    assert credits.earnings.own_work == Decimal("16.15")
    refunded = await escrows.refund((await market.escrow("3", status="funded")).id)
    assert (refunded.status, shares(refunded)) == ("refunded", numbers("3", "0", "0", "3"))


async def test_milestones_are_delivered_and_released_one_by_one(market: Market) -> None:
    escrows = market.owner.escrows
    milestones: Any = [{"name": "draft", "amount": "5"}, {"name": "final", "amount": "15"}]
    made = await market.escrow("20", status="funded", milestones=milestones, validation_threshold="0.9")
    with pytest.raises(bursar.InvalidRequest):
        await escrows.deliver(made.id, note="Done", milestone="other")
    await escrows.deliver(made.id, note="Done")
    with pytest.raises(bursar.Conflict) as early:
        await escrows.deliver(made.id, note="Done", milestone="final")
    assert early.value.code == "escrow.wrong_state"
    first = await escrows.approve(made.id)
    assert (first.status, shares(first)) == ("funded", numbers("20", "4.75", "0.25", "0"))
    assert [(each.name, each.status) for each in first.milestones] == [("draft", "released"), ("final", "pending")]
    with pytest.raises(bursar.Conflict) as done:
        await escrows.deliver(made.id, note="Done", milestone="draft")
    assert done.value.code == "escrow.milestone_released"
    delivered = await escrows.deliver(made.id, note="Done")
    assert delivered.delivery is not None
    assert (delivered.delivery.milestone, delivered.signatures) == ("final", [])
    second, judge = delivered.delivery.number, market.validator.escrows
    for unnamed in (judge.validate(made.id, score="0.9"), escrows.approve(made.id)):
        with pytest.raises(bursar.Conflict) as asked:
            await unnamed
        assert (asked.value.code, asked.value.problem["delivery"]) == ("escrow.delivery_required", second)
    scored = await judge.validate(made.id, score="0.5", delivery=second)
    assert (scored.status, scored.validation_score) == ("delivered", Decimal("0.5"))
    last = await judge.validate(made.id, score="0.9", delivery=second)
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


async def test_evidence_is_heard_in_a_dispute_and_the_timeline_has_every_step(market: Market) -> None:
    escrows = market.owner.escrows
    made = await market.escrow(status="disputed")
    heard = await escrows.submit_evidence(made.id, note="See", artifacts=[{"uri": "https://files.test/mail.eml"}])
    assert heard.dispute is not None
    [piece] = heard.dispute.evidence
    assert (piece.note, piece.submitted_by) == ("See", heard.dispute.opened_by)
    assert piece.artifacts == [{"uri": "https://files.test/mail.eml", "sha256": None}]
    await market.arbiter.escrows.resolve_dispute(made.id, payee_share="0.5")
    with pytest.raises(bursar.Conflict) as late:
        await escrows.submit_evidence(made.id, note="More")
    assert (late.value.code, late.value.problem["state"]) == ("escrow.wrong_state", "split")
    steps = [each async for each in escrows.get_timeline(made.id, limit=2)]
    assert [(each.number, each.kind, each.status, each.transfer_id is not None) for each in steps] == [
        (1, "opened", "open", False),
        (2, "funded", "funded", True),
        (3, "delivered", "delivered", False),
        (4, "disputed", "disputed", False),
        (5, "evidence_submitted", "disputed", False),
        (6, "resolved", "split", True),
    ]
    assert steps[3].actor == heard.dispute.opened_by


async def test_what_is_written_on_an_escrow_and_a_contract_changes_for_the_version_that_was_read(
    market: Market,
) -> None:
    made = await market.escrow("1")
    for resource, id in ((market.owner.escrows, made.id), (market.owner.contracts, made.contract_id)):
        first = bursar.response_info(await resource.get(id)).etag
        assert first is not None
        named = await resource.update(id, if_match=first, external_id="order-7", metadata={"a": "1", "b": "2"})
        second = bursar.response_info(named).etag
        assert second not in {None, first}
        again = await resource.update(id, if_match=str(second), metadata={"a": None, "c": "3"})
        assert (again.external_id, again.metadata) == ("order-7", {"b": "2", "c": "3"})
        with pytest.raises(bursar.APIError) as stale:
            await resource.update(id, if_match=first, metadata={"a": "4"})
        assert (stale.value.status, stale.value.code) == (412, "precondition.failed")
        assert stale.value.problem["etag"] == bursar.response_info(again).etag
        assert [each.id async for each in resource.list(external_id="order-7")] == [id]
