"""What an operator sends from the Temporal UI."""

import pytest

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def settled(job):
    """Wait until the run has handled every signal before this one: an update is answered after them."""
    return await job.handle.query("__temporal_workflow_metadata")


async def test_an_operator_approves_for_named_signatories(award):
    job = await (await award()).delivered()
    await job.handle.signal("approve", {"signatory": "finance"})
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim"})
    assert await job.end() == "released"
    events = await job.timeline()
    assert [e.kind for e in events][-2:] == ["approved", "approved"]
    assert events[-1].actor == "temporal-ui:kim"


async def test_an_operator_freezes_and_resolves(award):
    job = await (await award()).delivered()
    await job.handle.signal("dispute", {"reason": "fraud suspected"})
    await job.handle.signal("resolve", {"payee_share": "0.10", "note": "partly"})
    assert await job.end() == "split"
    assert (await job.money())["payee"] == 4_750_000


async def test_an_operator_cancels_and_the_money_goes_back(award):
    job = await (await award()).funded()
    await job.handle.signal("cancel", {})
    assert await job.end() == "cancelled"
    assert (await job.money())["payer"] == 100_000_000


async def test_a_refused_signal_is_recorded_and_the_run_goes_on(award):
    job = await (await award()).funded()
    await job.handle.signal("resolve", {"payee_share": "7"})
    await job.handle.signal("approve", {"signatory": "nobody"})
    await job.send("deliver", job.bot)
    refused = [e for e in await job.timeline() if e.kind == "command_refused"]
    assert [(e.details["command"], e.details["code"]) for e in refused] == [
        ("resolve", "request.invalid"),
        ("approve", "escrow.not_a_signatory"),
    ]
    assert (await job.state()).status == "delivered"


async def test_the_same_signal_sent_twice_is_one_command(award):
    job = await (await award()).delivered()
    for _ in range(2):
        await job.handle.signal("dispute", {"reason": "once", "command_id": "ticket-7"})
    await job.handle.signal("resolve", {"payee_share": "1"})
    assert await job.end() == "released"
    assert await job.kinds() == ["opened", "funded", "delivered", "disputed", "resolved"]


async def test_a_malformed_signal_changes_nothing(award):
    job = await (await award()).funded()
    await job.handle.signal("approve", {"no": "signatory"})
    await job.send("deliver", job.bot)
    assert (await job.state()).status == "delivered"


async def test_cancelling_the_run_gives_the_money_back(award):
    job = await (await award()).funded()
    await job.handle.cancel()
    assert await job.end() == "cancelled"
    assert (await job.money())["payer"] == 100_000_000


async def test_cancelling_a_run_that_cannot_be_cancelled_is_noted_and_it_goes_on(award):
    job = await (await award()).delivered()
    await job.handle.cancel()
    await settled(job)
    await job.send("validate", job.validator, score_e4=10_000)
    assert await job.end() == "released"
    assert "command_refused" in await job.kinds()


async def test_a_terminated_run_is_started_again_from_the_books(award):
    job = await (await award()).delivered()
    await job.handle.terminate("by hand")
    with job.stage.env.with_time_skipping_disabled():
        assert (await job.send("validate", job.validator, score_e4=10_000)).status == "released"
    assert (await job.money())["payee"] == 47_500_000


async def test_an_operator_reads_the_run_without_the_code(award):
    job = await (await award()).delivered()
    description = await job.handle.describe()
    summary = await description.static_summary()
    assert summary is not None
    assert "pays" in summary
    assert "50.00 CREDIT" in summary
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    attributes.pop("BuildIds", None)
    assert attributes == {
        "OrgId": job.terms.payer_org_id,
        "AgentId": job.terms.agent_id,
        "State": "delivered",
        "AmountMinor": 50_000_000,
        "Currency": "CREDIT",
    }
    metadata = await settled(job)
    text = str(metadata)
    assert "lie in escrow" in text
    assert "waits for validation or approvals" in text
