"""No worker while a deadline passes: what was sent in time counts, whatever the timer says."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from temporalio.service import RPCError, RPCStatusCode

from api.v1.escrows import commands
from contracts.escrow.escrow import (
    ApproveEscrow,
    DeliverEscrow,
    DisputeEscrow,
    EscrowCommand,
    RefundEscrow,
    ResolveEscrow,
    SubmitEvidence,
)
from domain.common.errors import Conflict, Unavailable
from domain.escrow import commands as rules
from domain.escrow.state import Milestone
from models.common.api_presence import ApiPresence
from models.escrow.escrow_notice import EscrowNotice
from repositories.escrow import escrow_notice as notices
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings
from tests.support.histories import replay
from tests.support.looking import again
from tests.workflows.behind import (
    committed_behind_the_run,
    delivered_without_a_run,
    disputed_without_a_run,
    funded_without_a_run,
    resumed,
)
from tests.workflows.conftest import Award, Job, Stage, api_of, stage_on, with_plugin

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def fired(job: Job) -> None:
    """Return when the escrow's deadline has passed on the server."""
    while True:
        events = (await job.handle.fetch_history()).events
        if any(event.HasField("timer_fired_event_attributes") for event in events):
            return
        await again()


async def test_a_dispute_signalled_too_late_is_refused(idle_server, database_urls):
    """The worker was back within seconds, so the deadline acts as ever."""
    async with stage_on(idle_server, database_urls) as stage:
        job = await (await stage.award()).delivered()
    passing = asyncio.create_task(idle_server.fast_forward(job.handle, timedelta(days=3, hours=1)))
    await fired(job)
    await job.handle.signal("dispute", {"reason": "look at this", "operator": "kim"})
    async with stage_on(idle_server, database_urls) as job.stage:
        await passing
        assert await job.end() == "released"
        assert await job.kinds() == ["opened", "funded", "delivered", "review_expired"]
    await replay(await job.handle.fetch_history())


# The API noted a command before the deadline, and nobody sent it to the run, or nobody was there to take it -----------


async def late(award: Award, **terms: object) -> Job:
    """Write an escrow to the books whose review ended a day ago, without a run."""
    return await delivered_without_a_run(await award(**terms), datetime.now(UTC) - timedelta(days=4))


async def noted(
    job: Job, name: notices.NotedCommandName, command: EscrowCommand, *, before: timedelta
) -> EscrowCommand:
    """Note a command so long before the deadline."""
    async with job.stage.database.platform_statement() as connection:
        await notices.store(connection, job.terms.escrow_id, name, command)
    async with job.stage.database.platform() as session:
        await session.execute(
            text("UPDATE escrow_notices SET noted_at = deadline_at - CAST(:before AS interval) WHERE command_id = :id"),
            {"before": before, "id": command.command_id},
        )
    return command


def dispute(job: Job) -> DisputeEscrow:
    return DisputeEscrow(command_id=new_id("cmd"), actor=job.finance, reason="not what was agreed")


async def notice(job: Job, command: EscrowCommand) -> EscrowNotice:
    async with job.stage.database.platform() as session:
        found = await session.get(EscrowNotice, command.command_id)
        assert found is not None
        return found


@pytest.fixture
async def outage(award: Award):
    """Simulate an outage of the API."""
    job = await award()

    async def away(began_at: datetime, ended_at: datetime) -> None:
        later = datetime.now(UTC) + timedelta(days=1000)
        async with job.stage.database.platform() as session:
            await session.merge(ApiPresence(id=1, seen_at=later, away_from=began_at, away_until=ended_at))

    yield away
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    await away(long_ago, long_ago)


async def back(job: Job) -> Job:
    """Start the run that was away, and have it work off what it finds."""
    return await resumed(job, "approve", {"signatory": "nobody", "operator": "kim"})


HOUR = timedelta(hours=1)


async def test_command_that_was_noted_before_its_deadline_was_extended_counts(award, outage):
    job = await late(award)
    review_by = (await job.state()).review_by
    assert review_by
    await outage(review_by - HOUR, datetime.now(UTC))
    # The API was back before the worker, so the review had ended by the time that the books held.
    command = await noted(job, "dispute", dispute(job), before=-HOUR)
    await back(job)
    assert (await job.recorded("review_extended")).details["until"] == (review_by + 47 * HOUR).isoformat()
    assert (await notice(job, command)).deadline_at == review_by + 47 * HOUR
    await job.pass_time(days=2)
    assert (await job.recorded("disputed")).command_id == command.command_id


async def test_command_during_the_extension_counts_even_if_no_worker_ran(award, outage):
    job = await late(award)
    review_by = (await job.state()).review_by
    assert review_by
    await outage(review_by - HOUR, review_by + HOUR)
    # The review ends three hours after the agreed time, and the API was back for half an hour.
    command = await noted(job, "dispute", dispute(job), before=timedelta(hours=-1.5))
    too_late = await noted(job, "refund", RefundEscrow(command_id=new_id("cmd"), actor=job.bot), before=-4 * HOUR)
    await back(job)
    assert (await job.recorded("disputed")).command_id == command.command_id
    assert (await settled(job))[3:] == ["review_extended", "disputed"]
    assert (await notice(job, too_late)).settled_at is None


async def test_pitfall_37_dispute_noted_in_time_counts_even_if_no_worker_ran(award):
    job = await late(award)
    command = await noted(job, "dispute", dispute(job), before=HOUR)
    await back(job)
    disputed = await job.recorded("disputed")
    state, note = await job.state(), await notice(job, command)
    assert (state.status, state.dispute.opened_by) == ("disputed", job.finance.qualified())
    assert state.dispute.opened_at == note.noted_at
    assert disputed.details["given_at"] == note.noted_at.isoformat()
    assert note.settled_at is not None
    assert "review_expired" not in await job.kinds()


async def test_delay_of_a_dispute_shortens_no_period(award):
    job = await late(award)
    await noted(job, "dispute", dispute(job), before=HOUR)
    await back(job)
    disputed, state = await job.recorded("disputed"), await job.state()
    assert state.dispute.evidence_until == disputed.at + timedelta(seconds=job.terms.evidence_seconds)


async def test_pitfall_37_a_delivery_that_was_noted_in_time_counts_and_is_reviewed_in_full(award):
    job = await funded_without_a_run(await award(), datetime.now(UTC) - timedelta(days=8))
    command = await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot), before=HOUR)
    await back(job)
    delivered, state, note = await job.recorded("delivered"), await job.state(), await notice(job, command)
    assert (state.status, state.delivery.delivered_at) == ("delivered", note.noted_at)
    assert state.review_by == delivered.at + timedelta(seconds=job.terms.review_seconds)
    assert "delivery_expired" not in await job.kinds()


@pytest.mark.parametrize(
    ("first", "last", "status"), [("approve", "dispute", "released"), ("dispute", "approve", "disputed")]
)
async def test_two_notes_are_worked_off_in_the_order_of_their_times(award, first, last, status):
    job = await late(award, required_signatures=1)
    given = {"approve": ApproveEscrow(command_id=new_id("cmd"), actor=job.finance), "dispute": dispute(job)}
    await noted(job, last, given[last], before=HOUR)
    await noted(job, first, given[first], before=2 * HOUR)
    await back(job)
    await job.recorded("approved" if first == "approve" else "disputed")
    assert (await job.state()).status == status
    assert "review_expired" not in await job.kinds()


async def test_signatures_that_were_noted_count_before_the_deadline_releases(award):
    job = await late(award)
    for actor in (job.finance, job.procurement):
        await noted(job, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=actor), before=HOUR)
    await back(job)
    assert await job.end() == "released"
    assert (await job.kinds())[-2:] == ["approved", "approved"]


@pytest.mark.parametrize("kind", ["forbidden", "turned", "unfit", "unreadable", "late", "settled", "of_before"])
async def test_a_note_that_does_not_count_never_blocks_the_deadline(award, kind):
    job = await late(award)
    command: EscrowCommand = dispute(job)
    name: notices.NotedCommandName = "dispute"
    if kind == "forbidden":
        command = command.model_copy(update={"actor": job.validator})
    elif kind == "turned":
        command = command.model_copy(update={"actor": job.bot})
    elif kind == "unfit":
        name, command = "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance, delivery=99)
    elif kind == "unreadable":
        command = ApproveEscrow(command_id=new_id("cmd"), actor=job.finance)
    await noted(job, name, command, before=-HOUR if kind == "late" else HOUR)
    changes = {"settled": "settled_at = noted_at", "of_before": "deadline_at = deadline_at - interval '1 second'"}
    if kind in changes:
        async with job.stage.database.platform() as session:
            await session.execute(
                text(f"UPDATE escrow_notices SET {changes[kind]} WHERE command_id = :id"), {"id": command.command_id}
            )
    await back(job)
    assert await job.end() == "released"
    assert (await job.kinds())[-1] == "review_expired"
    assert (await notice(job, command)).settled_at is not None


async def test_more_notices_than_a_batch_are_all_handled(award):
    job = await late(award)
    for number in range(notices.MAX_SENT + 5):
        actor = replace(job.finance, principal=f"finance-{number}")
        refused = ApproveEscrow(command_id=new_id("cmd"), actor=actor, delivery=100 + number)
        await noted(job, "approve", refused, before=2 * HOUR)
    await noted(job, "dispute", dispute(job), before=HOUR)
    await back(job)
    await job.recorded("disputed")


async def test_refused_command_is_not_executed_at_the_deadline(award):
    job = await (await award()).delivered()
    command = ApproveEscrow(command_id=new_id("cmd"), actor=job.bot)
    with pytest.raises(Exception, match="not a signatory"):
        await job.send("approve", job.bot, key=command.command_id)
    async with job.stage.database.platform() as session:
        assert await session.get(EscrowNotice, command.command_id) is None


async def test_key_of_a_refused_command_can_be_reused(award):
    job = await (await award()).delivered()
    key = new_id("cmd")
    with pytest.raises(Exception, match="not a signatory"):
        await job.send("approve", job.studio, key=key)
    assert (await job.send("dispute", job.studio, key=key, reason="the review is late")).status == "disputed"


async def test_executed_command_leaves_no_open_notice(award):
    job = await (await award()).delivered()
    command = dispute(job)
    await job.send("dispute", job.finance, key=command.command_id, reason=command.reason)
    assert (await notice(job, command)).settled_at is not None
    with pytest.raises(Conflict):
        await job.send("dispute", job.finance, reason="again")


class Unreachable:
    """A client whose server is away: a command is noted and never sent."""

    async def execute_update_with_start_workflow(self, *_: object, **__: object) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


async def test_pitfall_37_dispute_without_a_response_counts_once_a_worker_runs(idle_server, database_urls):
    async with stage_on(idle_server, database_urls) as stage:
        job = await (await stage.award()).delivered()
    database = Database(database_urls.tenant, database_urls.platform)
    async with api_of(database_urls, database) as deps:
        impatient = SimpleNamespace(**{**vars(deps), "settings": Settings(command_timeout=timedelta(seconds=1))})
        command = dispute(job)
        job.stage = away = Stage(idle_server, with_plugin(idle_server.client), database, deps)
        with pytest.raises(Unavailable):
            await commands.send(impatient, Unreachable(), await job.state(), "dispute", command)
        passing = asyncio.create_task(idle_server.fast_forward(job.handle, timedelta(days=3, hours=1)))
        await fired(job)
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        async with stage_on(idle_server, database_urls):
            assert (await job.recorded("disputed")).command_id == command.command_id
            again = await commands.send(away.deps, away.client, await job.state(), "dispute", command)
            assert again.status == "disputed"
            await job.send("resolve", job.arbiter, payee_share_e4=0)
            assert await job.end() == "refunded"
        assert await job.kinds() == ["opened", "funded", "delivered", "disputed", "resolved"]
        await replay(await job.handle.fetch_history())
    await database.close()


# Signals have no time -------------------------------------------------------------------------------------------------


async def test_pitfall_37_a_dispute_signalled_in_the_first_task_after_a_very_late_deadline_freezes(award):
    job = await resumed(await late(award), "dispute", {"reason": "look at this", "operator": "kim"})
    assert (await job.recorded("disputed")).actor == "temporal-ui:kim"
    assert "review_expired" not in await job.kinds()


async def test_pitfall_36_a_freeze_that_was_done_before_holds_neither_a_deadline_up_nor_a_command(
    idle_server, database_urls
):
    """Its copy comes with the first task after an outage, behind a command that waits for the deadline to act."""
    async with stage_on(idle_server, database_urls) as stage:
        job, long_ago = await stage.award(), datetime.now(UTC) - timedelta(days=40)
        await delivered_without_a_run(job, long_ago)
        await disputed_without_a_run(job, long_ago, "signal:dispute:ticket-7")
    await resumed(job, "resolve", {"payee_share": "0.6", "operator": "kim"})
    await job.handle.signal("dispute", {"command_id": "ticket-7", "operator": "kim"})
    async with stage_on(idle_server, database_urls) as job.stage:
        assert await job.end() == "split"
        assert (await job.kinds())[3:] == ["disputed", "decision_overdue", "resolved"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("dispute", {"reason": ["nested"], "operator": "kim"}),
        ("approve", {"signatory": "finance", "operator": "kim"}),
        ("cancel", {"operator": "kim"}),
        ("resolve", {"payee_share": "0", "operator": "kim"}),
    ],
)
async def test_no_other_signal_comes_before_a_late_deadline(award, name, given):
    job = await resumed(await late(award, required_signatures=1), name, given)
    assert await job.end() == "released"
    assert (await job.kinds())[-1] == "review_expired"


async def settled(job: Job) -> list[str]:
    """Return what has happened, once the run has done all that came before the signal that started it."""
    await job.recorded("command_refused")
    return [kind for kind in await job.kinds() if kind != "command_refused"]


async def test_approval_noted_for_one_delivery_signs_for_no_other_that_was_noted_before_it(award):
    job = await late(award, required_signatures=1)
    seen = (await job.state()).delivery
    await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot, note="junk"), before=2 * HOUR)
    # The books still show the first delivery, and that is what is signed for.
    assert (await job.state()).delivery == seen
    await noted(job, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance), before=HOUR)
    await back(job)
    assert (await settled(job))[-1] == "delivered"
    state = await job.state()
    assert (state.status, state.delivery.note, state.released_minor) == ("delivered", "junk", 0)
    await replay(await job.handle.fetch_history())


async def test_approval_noted_without_a_number_signs_for_no_later_delivery(award):
    job = await late(award, required_signatures=1)
    at = datetime.now(UTC) - timedelta(days=4)
    junk = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note="junk", milestone=None, now=at)
    await committed_behind_the_run(job, junk, new_id("cmd"), at)
    await noted(job, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance), before=HOUR)
    await back(job)
    await job.end()
    assert (await job.kinds())[-2:] == ["delivered", "review_expired"]


async def test_second_signature_for_one_milestone_pays_for_no_other(award):
    parts = tuple(Milestone(name=name, amount_minor=25_000_000) for name in ("one", "two"))
    job = await late(award, required_signatures=1, milestones=parts)
    for hours, name, command in (
        (3, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance)),
        (2, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot, note="again")),
        (1, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.procurement)),
    ):
        await noted(job, name, command, before=hours * HOUR)
    await back(job)
    await settled(job)
    assert (await job.state()).milestones_released == ("one",)


async def test_dispute_noted_after_another_delivery_counts(award):
    job = await late(award)
    await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot, note="junk"), before=2 * HOUR)
    await noted(job, "dispute", dispute(job), before=HOUR)
    await back(job)
    assert (await settled(job))[-2:] == ["delivered", "disputed"]


async def test_dispute_noted_after_a_batch_of_deliveries_counts(award):
    job = await late(award)
    for number in range(notices.MAX_SENT + 1):
        bot = replace(job.bot, principal=f"bot-{number}")
        await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=bot, note="junk"), before=2 * HOUR)
    await noted(job, "dispute", dispute(job), before=HOUR)
    await back(job)
    assert (await settled(job))[-2:] == ["delivered", "disputed"]


# Refunds, decisions and evidence --------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount_minor", [None, 20_000_000])
async def test_refund_that_was_noted_in_time_goes_before_the_release(award, amount_minor):
    job = await late(award)
    command = RefundEscrow(command_id=new_id("cmd"), actor=job.bot, amount_minor=amount_minor)
    await noted(job, "refund", command, before=HOUR)
    await back(job)
    assert await job.end() == ("refunded" if amount_minor is None else "released")
    assert (await job.state()).refunded_minor == (amount_minor or 50_000_000)
    assert (await notice(job, command)).settled_at is not None


async def long_disputed(award: Award, days: int) -> Job:
    """Write an escrow to the books that was disputed some days ago, without a run."""
    at = datetime.now(UTC) - timedelta(days=days)
    job = await delivered_without_a_run(await award(), at)
    await disputed_without_a_run(job, at, new_id("cmd"))
    return job


async def test_decision_that_was_noted_in_time_goes_before_the_default(award):
    job = await long_disputed(award, days=9)
    await noted(
        job, "resolve", ResolveEscrow(command_id=new_id("cmd"), actor=job.arbiter, payee_share_e4=1000), before=HOUR
    )
    await back(job)
    assert await job.end() == "split"
    state = await job.state()
    assert (state.dispute.resolved_by, state.dispute.payee_share_e4) == (job.arbiter.qualified(), 1000)
    assert "default_applied" not in await job.kinds()


async def test_arbiter_has_the_grace_period_after_a_late_alert(award):
    job = await back(await long_disputed(award, days=9))
    while "decision_overdue" not in await job.kinds():
        await again()
    assert (await job.state()).status == "disputed"
    assert (await job.send("resolve", job.arbiter, payee_share_e4=1000)).status == "split"
    await replay(await job.handle.fetch_history())


@pytest.mark.parametrize(("days_after", "counts"), [(2, True), (4, False)])
async def test_evidence_that_was_noted_in_its_window_counts(award, days_after, counts):
    job = await long_disputed(award, days=9)
    command = SubmitEvidence(command_id=new_id("cmd"), actor=job.finance, note="proof")
    await noted(job, "submit_evidence", command, before=timedelta(days=7 - days_after))
    await back(job)
    while "decision_overdue" not in await job.kinds():
        await again()
    # The grace begins with the alert.
    await job.pass_time(days=1, hours=1)
    assert await job.end() == "split"
    evidence = (await job.state()).dispute.evidence
    assert [piece.submitted_at for piece in evidence] == ([(await notice(job, command)).noted_at] if counts else [])


async def test_evidence_during_the_extension_counts_even_if_no_worker_ran(award, outage):
    job = await long_disputed(award, days=4)
    closes_at = (await job.state()).dispute.evidence_until
    await outage(closes_at - HOUR, closes_at + HOUR)
    command = SubmitEvidence(command_id=new_id("cmd"), actor=job.finance, note="proof")
    await noted(job, "submit_evidence", command, before=timedelta(days=4) - 2 * HOUR)
    assert (await notice(job, command)).noted_at == closes_at + 2 * HOUR
    await job.send("submit_evidence", job.finance, key=command.command_id, note="proof")
    dispute = (await job.state()).dispute
    assert dispute.evidence_until == closes_at + 3 * HOUR
    assert [piece.submitted_at for piece in dispute.evidence] == [closes_at + 2 * HOUR]
    with pytest.raises(Conflict) as refused:
        await job.send("submit_evidence", job.finance, note="more")
    assert refused.value.error_code == "escrow.evidence_closed"


async def test_evidence_that_is_repeated_after_the_outage_keeps_its_first_time(award):
    job = await long_disputed(award, days=4)
    command = SubmitEvidence(command_id=new_id("cmd"), actor=job.finance, note="proof")
    await noted(job, "submit_evidence", command, before=timedelta(days=5))
    first = (await notice(job, command)).noted_at
    await job.send("submit_evidence", job.finance, key=command.command_id, note="proof")
    assert [piece.submitted_at for piece in (await job.state()).dispute.evidence] == [first]
    with pytest.raises(Conflict) as refused:
        await job.send("submit_evidence", job.finance, note="more")
    assert refused.value.error_code == "escrow.evidence_closed"
