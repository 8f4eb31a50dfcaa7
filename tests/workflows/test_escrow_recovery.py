"""The books are ahead of the run: a local activity committed, and its workflow task was lost."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from activities.escrow import EscrowActivities
from contracts.escrow import RecordEscrowEvent
from domain.errors import WrongState
from domain.escrow import commands as rules

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def committed_behind_the_run(job, outcome, command_id):
    """Write an event as a worker would that dies before it can tell the server."""
    now = datetime.now(UTC)
    numbered = rules.numbered(outcome, command_id=command_id, now=now)
    message = RecordEscrowEvent(
        escrow=numbered.escrow,
        event=numbered.event,
        command_id=command_id,
        actor=numbered.actor,
        moves=numbered.moves,
        details=dict(numbered.details),
        at=now,
    )
    activities = EscrowActivities(job.stage.database)
    recorded = await activities.record_event(message)
    assert recorded.applied
    return message, activities


async def test_a_lost_command_is_found_when_it_comes_again(award):
    job = await (await award()).delivered()
    outcome = rules.validate(await job.state(), actor=job.validator, score_e4=9000, note=None, now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost")
    assert (await job.send("validate", job.validator, score_e4=9000, key="lost")).status == "released"
    assert await job.end() == "released"
    assert await job.kinds() == ["opened", "funded", "delivered", "validated"]
    assert (await job.money())["payee"] == 47_500_000


async def test_another_command_goes_on_from_what_the_books_hold(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=10_000_000)
    await committed_behind_the_run(job, outcome, "lost-refund")
    assert (await job.send("validate", job.validator, score_e4=9000)).status == "released"
    state = await job.state()
    assert (state.refunded_minor, state.released_minor) == (10_000_000, 38_000_000)
    assert (await job.send("refund", job.bot, amount_minor=10_000_000, key="lost-refund")).status == "released"


async def test_another_command_is_refused_by_what_the_books_hold(award):
    job = await (await award()).delivered()
    outcome = rules.dispute(await job.state(), actor=job.finance, reason="x", now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost-dispute")
    with pytest.raises(WrongState):
        await job.send("validate", job.validator, score_e4=9000)
    assert (await job.state()).status == "disputed"


async def test_a_deadline_finds_the_escrow_ended_in_the_books(award):
    job = await (await award()).funded()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=None)
    await committed_behind_the_run(job, outcome, "lost-all")
    await job.pass_time(days=8)
    assert await job.end() == "refunded"
    assert await job.kinds() == ["opened", "funded", "refunded"]


async def test_an_event_written_twice_is_in_the_books_once(award):
    job = await (await award()).delivered()
    outcome = rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000)
    message, activities = await committed_behind_the_run(job, outcome, "twice")
    again = await activities.record_event(message)
    assert again.applied
    assert again.stored is not None
    assert (await job.state()).refunded_minor == 1_000_000


async def test_an_event_beyond_the_next_one_is_refused_loudly(award):
    job = await (await award()).delivered()
    message, activities = await committed_behind_the_run(
        job, rules.refund(await job.state(), actor=job.bot, amount_minor=1_000_000), "one"
    )
    ahead = message.model_copy(
        update={"escrow": replace(message.escrow, version=message.escrow.version + 5), "command_id": "five"}
    )
    with pytest.raises(RuntimeError, match="cannot follow"):
        await activities.record_event(ahead)
