"""Notes of commands to escrows: which count, for which deadline, and when they are settled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import func, select, text

from contracts.escrow.escrow import ApproveEscrow, DeliverEscrow, DisputeEscrow
from domain.common.access import Actor, Role
from domain.common.errors import IdempotencyConflict, RateLimited
from domain.escrow import commands as rules
from domain.escrow.state import Artifact
from models.escrow.escrow_notice import EscrowNotice
from repositories.escrow import escrow_notice as notices
from runtime.identity import new_id
from tests.workflows.behind import committed_behind_the_run
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db


@pytest.fixture
async def job(db):
    """An escrow in the books that is under review, without a run."""
    job = await Stage(None, None, db, None).award()
    now = datetime.now(UTC)
    await committed_behind_the_run(job, rules.opened(job.terms, actor=job.procurement, now=now), new_id("cmd"))
    await committed_behind_the_run(
        job, rules.fund(await job.state(), actor=job.procurement, source="credits", now=now), new_id("cmd")
    )
    return await redelivered(job)


async def redelivered(job: Job) -> Job:
    outcome = rules.deliver(
        await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=datetime.now(UTC)
    )
    await committed_behind_the_run(job, outcome, new_id("cmd"))
    return job


def dispute(job: Job, reason: str = "late", by: str = "finance") -> DisputeEscrow:
    return DisputeEscrow(command_id=new_id("cmd"), actor=replace(job.finance, principal=by), reason=reason)


async def noted(job: Job, name: notices.NotedCommandName, command, escrow_id: str | None = None) -> None:
    async with job.stage.database.platform_statement() as connection:
        await notices.store(connection, escrow_id or job.terms.escrow_id, name, command)


async def standing(job: Job, deadline_at: datetime | None = None) -> list[EscrowNotice]:
    async with job.stage.database.platform() as session:
        review_by = (await job.state()).review_by
        return list(await notices.open_notices(session, job.terms.escrow_id, deadline_at or review_by))


async def count(job: Job) -> int:
    async with job.stage.database.platform() as session:
        of_it = select(func.count()).where(EscrowNotice.escrow_id == job.terms.escrow_id)
        return (await session.scalars(of_it)).one()


async def test_a_note_stands_with_the_time_at_which_it_reached_us(job):
    before, command = datetime.now(UTC) - timedelta(seconds=5), dispute(job)
    await noted(job, "dispute", command)
    (found,) = await standing(job)
    assert (found.command_id, found.name, found.settled_at) == (command.command_id, "dispute", None)
    assert DisputeEscrow.model_validate(found.command) == command
    assert before < found.noted_at < datetime.now(UTC) + timedelta(seconds=5)


async def test_notes_stand_in_the_order_in_which_they_came(job):
    given = [
        ("approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance)),
        ("dispute", dispute(job)),
        ("approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.procurement)),
    ]
    for name, command in given:
        await noted(job, name, command)
    assert [found.command_id for found in await standing(job)] == [command.command_id for _, command in given]


async def test_a_note_that_is_repeated_keeps_its_first_time(job):
    command = dispute(job)
    await noted(job, "dispute", command)
    (first,) = await standing(job)
    await noted(job, "dispute", command.model_copy(update={"actor": job.procurement}))
    (second,) = await standing(job)
    assert second.noted_at == first.noted_at


async def test_a_note_of_another_command_under_the_same_id_is_refused(job):
    command = dispute(job)
    await noted(job, "dispute", command)
    other = await job.stage.award(of=job)
    await committed_behind_the_run(
        other, rules.opened(other.terms, actor=job.procurement, now=datetime.now(UTC)), new_id("cmd")
    )
    for name, changed, escrow_id in (
        ("dispute", command.model_copy(update={"reason": "other"}), job.terms.escrow_id),
        ("deliver", DeliverEscrow(command_id=command.command_id, actor=job.bot), job.terms.escrow_id),
        ("dispute", command, other.terms.escrow_id),
    ):
        with pytest.raises(IdempotencyConflict):
            await noted(job, name, changed, escrow_id)
    assert [found.command_id for found in await standing(job)] == [command.command_id]


async def test_a_note_of_a_command_that_was_done_is_none(job):
    command = dispute(job)
    before = await job.state()
    outcome = rules.dispute(before, actor=job.finance, reason="late", now=datetime.now(UTC))
    await noted(job, "dispute", command)
    await committed_behind_the_run(job, outcome, command.command_id)
    assert await standing(job, before.review_by) == []
    state = await job.state()
    again = command.model_copy(update={"command_id": new_id("cmd")})
    await committed_behind_the_run(
        job,
        rules.submit_evidence(state, actor=job.bot, note="x", artifacts=(), now=datetime.now(UTC)),
        again.command_id,
    )
    await noted(job, "dispute", again)
    assert await standing(job, state.dispute.decide_by) == []


async def test_nothing_is_noted_of_an_escrow_that_has_ended_or_is_not_there(job):
    await committed_behind_the_run(
        job, rules.refund(await job.state(), actor=job.bot, amount_minor=None), new_id("cmd")
    )
    for escrow_id in (job.terms.escrow_id, new_id("esc")):
        await noted(job, "dispute", command := dispute(job), escrow_id)
        async with job.stage.database.platform() as session:
            assert await session.get(EscrowNotice, command.command_id) is None


async def test_a_note_made_at_the_deadline_or_after_it_does_not_count(job):
    await noted(job, "dispute", dispute(job))
    (found,) = await standing(job)
    async with job.stage.database.platform() as session:
        await session.execute(
            text("UPDATE escrow_notices SET noted_at = deadline_at WHERE command_id = :id"), {"id": found.command_id}
        )
    assert await standing(job) == []


async def test_a_note_against_an_earlier_delivery_does_not_count_for_the_next_one(job):
    await noted(job, "dispute", dispute(job))
    assert len(await standing(job)) == 1
    await redelivered(job)
    assert await standing(job) == []


async def test_a_note_that_is_repeated_after_its_deadline_moved_is_made_anew(job):
    command = dispute(job)
    await noted(job, "dispute", command)
    (first,) = await standing(job)
    await redelivered(job)
    await noted(job, "dispute", command)
    (second,) = await standing(job)
    assert second.noted_at > first.noted_at


async def test_a_settled_note_does_not_count_until_the_command_comes_again(job):
    command = dispute(job)
    await noted(job, "dispute", command)
    async with job.stage.database.platform() as session:
        await notices.settle(session, [command.command_id])
    assert await standing(job) == []
    await noted(job, "dispute", command)
    assert len(await standing(job)) == 1


async def test_settled_notes_are_forgotten_and_others_are_kept(job):
    kept, settled = dispute(job), dispute(job)
    for command in (kept, settled):
        await noted(job, "dispute", command)
    async with job.stage.database.platform() as session:
        await notices.settle(session, [settled.command_id])
    async with job.stage.database.platform() as session:
        assert await notices.delete_settled_before(session, datetime.now(UTC) - timedelta(days=30), limit=9) == 0
        assert await notices.delete_settled_before(session, datetime.now(UTC) + timedelta(days=1), limit=9) >= 1
    assert [found.command_id for found in await standing(job)] == [kept.command_id]


async def test_as_many_notes_are_worked_off_at_once_as_a_message_holds(job):
    big = tuple(Artifact(uri="https://example.com/" + "x" * 60_000) for _ in range(1))
    for _ in range(6):
        await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot, artifacts=big))
    assert len(await standing(job)) == notices.MAX_SENT_BYTES // 60_000
    many = await redelivered(job)
    for number in range(notices.MAX_SENT + 1):
        await noted(many, "dispute", dispute(many, by=f"finance-{number}"))
    assert len(await standing(many)) == notices.MAX_SENT


async def test_dispute_comes_with_the_notes_however_many_signatures_stand_before_it(job):
    """The last signature releases a milestone and so moves the deadline; a dispute holds for the next one too."""
    for number in range(notices.MAX_SENT + 1):
        signer = replace(job.finance, principal=f"signer-{number}")
        await noted(job, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=signer))
    late = dispute(job)
    await noted(job, "dispute", late)
    assert [found.command_id for found in await standing(job)][notices.MAX_SENT :] == [late.command_id]


async def test_a_note_that_alone_is_too_much_is_worked_off_alone(job):
    huge = (Artifact(uri="https://example.com/" + "x" * (notices.MAX_SENT_BYTES + 1)),)
    for _ in range(2):
        await noted(job, "deliver", DeliverEscrow(command_id=new_id("cmd"), actor=job.bot, artifacts=huge))
    assert len(await standing(job)) == 1


async def test_a_principal_has_so_many_notes_of_a_command_that_got_no_answer(job):
    given = [dispute(job, f"try {number}") for number in range(notices.MAX_OPEN_OF_PRINCIPAL)]
    for command in given:
        await noted(job, "dispute", command)
    with pytest.raises(RateLimited) as refused:
        await noted(job, "dispute", dispute(job, "one more"))
    assert refused.value.error_code == "escrow.too_many_waiting"
    assert refused.value.extra["retry_after"] > 0
    assert await count(job) == notices.MAX_OPEN_OF_PRINCIPAL


async def test_a_full_share_leaves_room_to_repeat_to_ask_for_something_else_and_to_everybody_else(job):
    given = [dispute(job, f"try {number}") for number in range(notices.MAX_OPEN_OF_PRINCIPAL)]
    for command in given:
        await noted(job, "dispute", command)
    await noted(job, "dispute", given[0])
    await noted(job, "approve", ApproveEscrow(command_id=new_id("cmd"), actor=job.finance))
    for actor in (job.procurement, job.bot, job.arbiter):
        await noted(job, "dispute", DisputeEscrow(command_id=new_id("cmd"), actor=actor, reason="late"))
    assert await count(job) == notices.MAX_OPEN_OF_PRINCIPAL + 4


async def test_a_side_has_so_many_notes_however_many_principals_it_makes(job):
    for number in range(notices.MAX_OPEN_OF_SIDE):
        await noted(job, "dispute", dispute(job, by=f"finance-{number}"))
    with pytest.raises(RateLimited):
        await noted(job, "dispute", dispute(job, by="one-more"))
    await noted(job, "dispute", DisputeEscrow(command_id=new_id("cmd"), actor=job.bot, reason="late"))


async def test_notes_against_an_earlier_deadline_and_settled_ones_take_no_room(job):
    given = [dispute(job, f"try {number}") for number in range(notices.MAX_OPEN_OF_PRINCIPAL)]
    for command in given:
        await noted(job, "dispute", command)
    await redelivered(job)
    again = [dispute(job, f"again {number}") for number in range(notices.MAX_OPEN_OF_PRINCIPAL)]
    for command in again:
        await noted(job, "dispute", command)
    async with job.stage.database.platform() as session:
        await notices.settle(session, [again[0].command_id])
    await noted(job, "dispute", dispute(job, "after one was settled"))


async def test_the_freeze_of_a_payment_is_noted_however_many_there_are(job):
    actor = Actor(principal="payment:pay_1", role=Role.OPERATOR)
    for _ in range(notices.MAX_OPEN_OF_PRINCIPAL):
        await noted(job, "dispute", DisputeEscrow(command_id=new_id("cmd"), actor=actor, reason="chargeback"))
    freeze = DisputeEscrow(command_id=new_id("cmd"), actor=actor, reason="chargeback")
    async with job.stage.database.platform_statement() as connection:
        await notices.store(connection, job.terms.escrow_id, "dispute", freeze, bounded=False)
    assert freeze.command_id in {found.command_id for found in await standing(job)}


async def test_a_tenant_neither_reads_nor_writes_notes(job):
    await noted(job, "dispute", dispute(job))
    for statement in (
        "SELECT * FROM escrow_notices",
        "INSERT INTO escrow_notices SELECT 'x', 'x', 'dispute', '{}', now(), now(), NULL",
        "UPDATE escrow_notices SET settled_at = now()",
        "DELETE FROM escrow_notices",
    ):
        with pytest.raises(Exception, match="permission denied") as refused:
            async with job.stage.database.tenant(job.terms.payer_org_id) as session:
                await session.execute(text(statement))
        assert isinstance(refused.value.orig.__cause__, asyncpg.InsufficientPrivilegeError)


async def test_what_a_note_says_cannot_be_changed(job):
    await noted(job, "dispute", dispute(job))
    with pytest.raises(Exception, match="permission denied"):
        async with job.stage.database.platform() as session:
            await session.execute(text("UPDATE escrow_notices SET command = '{}'"))
