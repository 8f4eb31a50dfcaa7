"""Escrows and payments with more than one run takes: the server's limit is lowered, nothing in the input says so."""

import asyncio

import pytest
from pydantic import TypeAdapter

from contracts.payments.payment import PaymentInput
from domain.common.errors import Conflict
from domain.escrow.state import MAX_EVIDENCE_BYTES, Artifact, Escrow, Milestone
from domain.payments.payment.state import Fulfilment
from tests.support.histories import replay_and_keep
from tests.support.looking import again
from tests.workflows.payment_driver import for_escrow, new_payment

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_an_escrow_goes_on_in_new_runs_and_forgets_nothing(short_runs):
    job = await (await short_runs.award()).disputed()
    first_run = (await job.handle.describe()).run_id
    deadlines = (await job.state()).dispute.decide_by
    parties = [job.bot, job.finance]

    async def testify(number: int) -> None:
        await job.send("submit_evidence", parties[number % 2], key=f"evidence-{number}", note=f"piece {number}")

    # More at once than the server takes in flight (10): the sender waits and repeats where it is told so.
    await asyncio.gather(*(testify(number) for number in range(24)))
    while (await job.handle.describe()).run_id == first_run:
        await again()

    state = await job.state()
    assert sorted(piece.note for piece in state.dispute.evidence) == sorted(f"piece {n}" for n in range(24))
    assert state.dispute.decide_by == deadlines

    # A command of an earlier run, repeated, is answered and not done again.
    await testify(0)
    assert len((await job.state()).dispute.evidence) == 24

    await job.send("resolve", job.arbiter, payee_share_e4=5000)
    assert await job.end() == "split"
    await replay_and_keep(await job.handle.fetch_history(), "escrow/continued")
    numbers = [event.number for event in await job.timeline()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await job.money() == {"payer": 75_000_000, "escrow": 0, "payee": 23_750_000}


async def test_the_largest_dispute_goes_on_in_new_runs_and_reads_as_before(short_runs):
    milestones = tuple(Milestone(name=f"{n:02}" + "\N{SNOWMAN}" * 198, amount_minor=1_000_000) for n in range(50))
    job = await short_runs.award(milestones=milestones)
    await job.open()
    await job.send("fund", job.procurement)
    work = tuple(Artifact(uri="https://example.com/" + "a" * 980, sha256="ab" * 32) for _ in range(20))
    await job.send("deliver", job.bot, artifacts=work, note='"' * 4000)
    await job.send("dispute", job.finance, reason="\N{SNOWMAN}" * 4000)
    taken = MAX_EVIDENCE_BYTES // 12_002
    for side in (job.studio, job.finance):
        for _ in range(taken):
            await job.send("submit_evidence", side, note="\N{SNOWMAN}" * 4000)
        with pytest.raises(Conflict) as refused:
            await job.send("submit_evidence", side, note="\N{SNOWMAN}" * 4000)
        assert refused.value.error_code == "escrow.evidence_full"
    state = await job.state()
    size = len(TypeAdapter(Escrow).dump_json(state))
    assert size < 512 * 1024
    # The details of a new run are there before its first event.
    assert "held in escrow" in str(await job.handle.query("__temporal_workflow_metadata"))
    await job.send("resolve", job.arbiter, payee_share_e4=0)
    assert await job.end() == "refunded"


async def test_a_payment_goes_on_in_a_new_run_with_the_events_that_it_has_not_answered(short_runs, monkeypatch):
    made = await new_payment(short_runs, first_poll_seconds=86_400, longest_poll_seconds=86_400)
    await made.create()
    first_run = (await made.handle.describe()).run_id
    looked, told, retrieve = asyncio.Event(), asyncio.Event(), short_runs.fake.retrieve

    async def slowly(ref):
        snapshot = await retrieve(ref)
        looked.set()
        await told.wait()
        return snapshot

    monkeypatch.setattr(short_runs.fake, "retrieve", slowly)
    events = [await made.event()]
    await looked.wait()
    # What comes while the provider is asked is not in its answer, and no poll would find it today.
    made.there.pay()
    events += await asyncio.gather(*(made.event() for _ in range(20)))
    told.set()
    for event in events:
        await made.handled(event)
    assert (await made.state()).status == "succeeded"
    assert (await made.kinds()).count("received") == 1
    assert await made.end() == "succeeded"

    first = await short_runs.client.get_workflow_handle(made.handle.id, run_id=first_run).fetch_history()
    ended = first.events[-1].workflow_execution_continued_as_new_event_attributes
    (start,) = await short_runs.client.data_converter.decode(ended.input.payloads, [PaymentInput])
    assert set(start.events) >= set(events[1:])
    await replay_and_keep(first, "payment/continued_as_new")
    await replay_and_keep(await made.handle.fetch_history(), "payment/continued")


async def test_a_payment_that_was_refunded_in_an_earlier_run_is_not_refunded_again(short_runs):
    made = await new_payment(short_runs)
    await made.create()
    made.there.pay()
    await made.refreshed()
    first_run = (await made.handle.describe()).run_id
    once = {"key": "one-refund", "refund_id": "rfd_one", "amount_minor": 100}
    await made.send("refund", **once)
    for _ in range(5):
        await made.send("refund", amount_minor=100)
    assert (await made.handle.describe()).run_id != first_run
    await made.send("refund", **once)
    assert [refund.amount_minor for refund in (await made.state()).refunds] == [100] * 6
    assert made.there.gone == 600


async def test_a_payment_whose_run_is_full_before_its_escrow_has_the_money_goes_on_in_the_next_one(short_runs):
    job = await short_runs.award(balance=1)
    await job.open()
    terms = job.terms
    made = await new_payment(short_runs, org_id=terms.payer_org_id, purpose=for_escrow(terms), method_ref="pm_ok")
    short_runs.fake.breaks.extend(["unavailable"] * 2)
    created = asyncio.ensure_future(made.create())
    while short_runs.fake.breaks:
        await job.state()
        await again()
    for _ in range(8):
        await made.handle.signal("look", {"operator": "kim"})
    assert (await created).status == "succeeded"
    while "escrow_funded" not in await made.kinds():
        await again()
    assert (await made.state()).fulfilment is Fulfilment.DONE
