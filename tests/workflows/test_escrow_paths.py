"""Each way through an escrow, on a real server with real books."""

import asyncio

import pytest

from domain.common.errors import Conflict, DomainError, Forbidden, InsufficientFunds, Invalid, WrongState
from domain.escrow.agent_limits import MAX_AGENT_EVIDENCE_BYTES
from domain.escrow.state import Artifact, Milestone

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_a_score_at_the_threshold_releases_and_pays_net_of_commission(award):
    job = await (await award()).delivered()
    await job.send("validate", job.validator, score_e4=8000)
    assert await job.end() == "released"
    assert await job.money() == {"payer": 50_000_000, "escrow": 0, "payee": 47_500_000}
    assert await job.kinds() == ["opened", "funded", "delivered", "validated"]
    assert (await job.timeline())[-1].transfer_id is not None


async def test_a_score_below_the_threshold_waits_for_people(award):
    job = await (await award()).delivered()
    result = await job.send("validate", job.validator, score_e4=7999)
    assert result.status == "delivered"
    await job.send("approve", job.procurement)
    assert (await job.send("approve", job.finance)).status == "released"


async def test_the_second_of_two_signatures_releases(award):
    job = await (await award()).delivered()
    assert (await job.send("approve", job.finance)).status == "delivered"
    with pytest.raises(Conflict) as refused:
        await job.send("approve", job.finance)
    assert refused.value.error_code == "escrow.already_signed"
    assert (await job.send("approve", job.procurement)).status == "released"
    assert (await job.money())["payee"] == 47_500_000


async def test_a_new_delivery_discards_the_signatures_of_the_old_one(award):
    job = await (await award()).delivered()
    await job.send("approve", job.finance)
    await job.send("deliver", job.bot, artifacts=(Artifact(uri="s3://bucket/second"),))
    assert (await job.state()).signatures == ()


async def test_milestones_are_released_one_by_one_and_add_up(award):
    milestones = tuple(Milestone(name=n, amount_minor=a) for n, a in (("a", 10_000_001), ("b", 39_999_999)))
    job = await (await award(milestones=milestones)).funded()
    await job.send("deliver", job.bot)
    assert (await job.send("validate", job.validator, score_e4=9000)).status == "funded"
    assert (await job.state()).milestones_released == ("a",)
    with pytest.raises(Conflict) as refused:
        await job.send("deliver", job.bot, milestone="a")
    assert refused.value.error_code == "escrow.milestone_released"
    await job.send("deliver", job.bot, milestone="b")
    second = await job.under_review()
    await job.send("approve", job.finance, delivery=second)
    assert (await job.send("approve", job.procurement, delivery=second)).status == "released"
    state = await job.state()
    assert state.released_minor + state.commission_minor == 50_000_000


async def test_a_partial_refund_returns_its_part_and_the_rest_is_released(award):
    job = await (await award()).delivered()
    assert (await job.send("refund", job.bot, amount_minor=10_000_000)).status == "delivered"
    with pytest.raises(Invalid):
        await job.send("refund", job.bot, amount_minor=40_000_001)
    await job.send("validate", job.validator, score_e4=10_000)
    state = await job.state()
    assert (state.refunded_minor, state.released_minor, state.commission_minor) == (10_000_000, 38_000_000, 2_000_000)
    assert (await job.money())["payer"] == 60_000_000


async def test_a_full_refund_ends_the_escrow(award):
    job = await (await award()).funded()
    assert (await job.send("refund", job.bot)).status == "refunded"
    assert await job.end() == "refunded"
    assert (await job.money())["payer"] == 100_000_000


async def test_an_arbiter_splits_a_dispute(award):
    job = await (await award()).disputed()
    await job.send("submit_evidence", job.bot, note="here it is")
    for name, actor, fields in [
        ("deliver", job.bot, {}),
        ("approve", job.finance, {}),
        ("validate", job.validator, {"score_e4": 10_000}),
    ]:
        with pytest.raises(WrongState) as refused:
            await job.send(name, actor, **fields)
        assert refused.value.extra["state"] == "disputed"
    await job.send("resolve", job.arbiter, payee_share_e4=6000)
    assert await job.end() == "split"
    assert await job.money() == {"payer": 70_000_000, "escrow": 0, "payee": 28_500_000}


async def test_the_payer_cancels_while_nothing_is_funded(award):
    job = await award()
    await job.open()
    assert (await job.send("cancel", job.procurement)).status == "cancelled"


async def test_a_funded_escrow_is_cancelled_when_the_payee_agrees(award):
    job = await (await award()).funded()
    assert (await job.send("cancel", job.procurement)).status == "funded"
    assert (await job.state()).cancel_requested_by is not None
    assert (await job.send("cancel", job.bot)).status == "cancelled"
    assert (await job.money())["payer"] == 100_000_000


async def test_an_empty_balance_declines_and_the_escrow_stays_open(award):
    job = await award(balance=49_999_999)
    await job.open()
    with pytest.raises(InsufficientFunds) as refused:
        await job.send("fund", job.procurement)
    assert refused.value.status == 402
    assert (await job.state()).status == "open"
    assert await job.kinds() == ["opened"]


async def test_strangers_and_wrong_parties_are_refused(award):
    job, other = await (await award()).funded(), await award()
    for name, actor in [("deliver", job.procurement), ("deliver", other.bot), ("refund", job.finance)]:
        with pytest.raises(Forbidden):
            await job.send(name, actor)
    with pytest.raises(Forbidden) as refused:
        await job.send("approve", job.bot)
    assert refused.value.error_code == "escrow.not_a_signatory"


async def test_agents_key_neither_disputes_its_own_delivery_nor_fills_the_room_for_evidence(award):
    job = await (await award()).delivered()
    with pytest.raises(Forbidden, match="its own delivery"):
        await job.send("dispute", job.bot, reason="it is all my fault")
    assert (await job.send("dispute", job.studio, reason="they do not look")).status == "disputed"
    large = "x" * (MAX_AGENT_EVIDENCE_BYTES // 4 - 2)
    for _ in range(4):
        await job.send("submit_evidence", job.bot, note=large)
    with pytest.raises(Conflict) as refused:
        await job.send("submit_evidence", job.bot, note=large)
    assert refused.value.error_code == "escrow.evidence_full"
    await job.send("submit_evidence", job.studio, note=large)
    assert len((await job.state()).dispute.evidence) == 5


async def test_a_command_after_the_end_is_refused_with_the_state(award):
    job = await (await award()).funded()
    await job.send("refund", job.bot)
    await job.end()
    with pytest.raises(WrongState) as refused:
        await job.send("dispute", job.finance, reason="too late")
    assert refused.value.extra["state"] == "refunded"


async def test_pitfall_01_second_funding_under_one_key_returns_the_first_result(award):
    job = await award()
    await job.open()
    first, second = await asyncio.gather(
        job.send("fund", job.procurement, key="one"), job.send("fund", job.procurement, key="one")
    )
    assert first == second
    assert (await job.money())["payer"] == 50_000_000


async def test_a_command_repeated_after_the_end_returns_its_result(award):
    job = await (await award()).delivered()
    await job.send("validate", job.validator, score_e4=9000, key="v1")
    await job.end()
    assert (await job.send("validate", job.validator, score_e4=9000, key="v1")).status == "released"
    assert await job.kinds() == ["opened", "funded", "delivered", "validated"]


async def test_pitfall_08_what_create_returned_can_be_funded_at_once(award):
    job = await award()
    opened = await job.open()
    assert opened.status == "open"
    assert (await job.send("fund", job.procurement)).status == "funded"


async def test_a_second_escrow_of_a_contract_is_refused(award):
    job = await award()
    await job.open(key="first")
    assert (await job.open(key="first")).status == "open"
    with pytest.raises(Conflict) as refused:
        await job.open(key="second")
    assert refused.value.error_code == "escrow.exists"


async def test_approvals_that_race_release_once(award):
    job = await (await award(required_signatures=1)).delivered()
    results = await asyncio.gather(
        job.send("approve", job.finance),
        job.send("approve", job.procurement),
        job.send("validate", job.validator, score_e4=10_000),
        return_exceptions=True,
    )
    won = [r for r in results if not isinstance(r, BaseException)]
    assert len(won) == 1
    assert all(isinstance(r, DomainError) and r.status == 409 for r in results if r not in won)
    assert (await job.money())["payee"] == 47_500_000


@pytest.mark.parametrize("turn", [0, *(pytest.param(again, marks=pytest.mark.slow) for again in range(1, 4))])
async def test_pitfall_05_a_dispute_that_races_a_release_has_one_winner(award, turn):
    job = await (await award()).delivered()
    racers = [
        job.send("validate", job.validator, score_e4=10_000),
        job.send("dispute", job.finance, reason="stop"),
    ]
    results = await asyncio.gather(*(racers if turn % 2 else reversed(racers)), return_exceptions=True)
    assert sum(isinstance(r, WrongState) for r in results) == 1
    state = await job.state()
    assert state.status in ("released", "disputed")
    assert (await job.money())["payee"] == (47_500_000 if state.status == "released" else 0)


async def test_pitfall_03_many_escrows_of_one_payer_never_take_more_than_it_has(award):
    first = await award(balance=120_000_000)
    jobs = [first, *[await award(of=first) for _ in range(4)]]
    for job in jobs:
        await job.open()
    results = await asyncio.gather(*(job.send("fund", job.procurement) for job in jobs), return_exceptions=True)
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 3
    assert (await first.money())["payer"] == 20_000_000
