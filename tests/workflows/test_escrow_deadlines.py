"""Every state ends automatically; the clock of the run skips ahead, and the books get its time."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from contracts.escrow.escrow import SubmitEvidence
from domain.common.access import Actor, Role
from domain.common.errors import WrongState
from domain.escrow.state import Milestone
from domain.risk.case import HoldKind, NewHold
from domain.tenants.organization import TimedExits
from models.common.api_presence import ApiPresence
from repositories.common.listing import ListFilter
from repositories.messages import alert
from repositories.risk import case as cases
from runtime.identity import new_id
from services.tenants import organization as organizations
from tests.support.histories import replay, replay_and_keep

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_payee_that_disputes_before_its_delivery_gets_nothing_when_nobody_decides(award, stage):
    job = await (await award(dispute_default_share_e4=9_000)).funded()
    await job.send("dispute", job.bot, reason="I want my share")
    assert (await job.state()).default_share_e4 == 0
    await job.pass_time(days=7, hours=1)
    async with stage.database.platform() as session:
        page = await alert.page(session, ListFilter(equal={"subject": job.terms.escrow_id}, limit=10), open_only=True)
    assert "if not decided by then, the money is refunded" in page.rows[0].detail
    await job.pass_time(days=1, hours=1)
    assert await job.end() == "refunded"
    assert await job.money() == {"payer": 100_000_000, "escrow": 0, "payee": 0}
    await replay_and_keep(await job.handle.fetch_history(), "escrow/refunded")


async def test_pitfall_24_an_escrow_that_is_not_funded_is_cancelled(award):
    job = await award()
    await job.open()
    await job.pass_time(days=2, hours=23)
    assert (await job.state()).status == "open"
    await job.pass_time(hours=2)
    assert await job.end() == "cancelled"
    assert await job.kinds() == ["opened", "funding_expired"]


async def test_pitfall_24_work_that_is_not_delivered_is_refunded(award):
    job = await (await award()).funded()
    await job.pass_time(days=7, hours=1)
    assert await job.end() == "refunded"
    assert (await job.money())["payer"] == 100_000_000


async def test_pitfall_24_delivery_is_released_if_the_client_does_not_respond(award):
    job = await (await award()).delivered()
    await job.pass_time(days=3, hours=1)
    assert await job.end() == "released"
    assert (await job.money())["payee"] == 47_500_000


async def test_pitfall_24_a_release_waits_while_its_payee_is_suspended_and_an_operator_paused_it(award, stage):
    job = await (await award()).delivered()
    operator = Actor(principal="kim", role=Role.OPERATOR)
    payee = job.terms.payee_org_id

    async def becomes(act, **how):
        async with stage.database.platform() as session:
            await act(session, operator, payee, now=datetime.now(UTC), **how)

    await becomes(organizations.suspend, reason="looked into", timed_exits=TimedExits.PAUSE)
    await job.pass_time(days=4, hours=1)
    assert (await job.state()).status == "delivered"
    assert (await job.kinds())[3:] == ["review_extended"] * 2
    await becomes(organizations.resume)
    await job.pass_time(days=1)
    assert await job.end() == "released"
    assert (await job.kinds())[3:] == ["review_extended", "review_extended", "review_expired"]
    assert (await job.money())["payee"] == 47_500_000


async def test_a_release_by_silence_waits_while_a_case_holds_the_escrow(award, stage):
    job = await (await award()).delivered()
    escrow_id, review_by = job.terms.escrow_id, (await job.state()).review_by
    hold = NewHold(
        kind=HoldKind.RELEASE, subject=escrow_id, org_id=job.terms.payee_org_id, lasts=timedelta(days=1, hours=12)
    )
    async with stage.database.platform() as session:
        await cases.hold(session, new_id(cases.PREFIX), [hold], review_by)
    await job.pass_time(days=4, hours=1)
    assert (await job.state()).status == "delivered"
    assert (await job.kinds())[3:] == ["review_extended"] * 2
    await job.pass_time(days=1)
    assert await job.end() == "released"
    assert (await job.kinds())[3:] == ["review_extended", "review_extended", "review_expired"]
    assert (await job.money())["payee"] == 47_500_000


@pytest.mark.slow
async def test_default_of_a_dispute_waits_while_the_payee_is_suspended_and_paused(award, stage):
    job = await (await award(dispute_default_share_e4=9_000)).delivered()
    operator, payee = Actor(principal="kim", role=Role.OPERATOR), job.terms.payee_org_id
    async with stage.database.platform() as session:
        now = datetime.now(UTC)
        await organizations.suspend(
            session, operator, payee, now=now, reason="looked into", timed_exits=TimedExits.PAUSE
        )
    await job.send("dispute", job.studio, reason="I want my share before anybody looks")
    await job.pass_time(days=9, hours=1)
    assert (await job.state()).status == "disputed"
    assert (await job.kinds())[4:] == ["decision_overdue", "default_extended", "default_extended"]
    await job.pass_time(days=31)
    assert (await job.state()).status == "disputed"
    assert (await job.kinds())[5:] == ["default_extended"] * 33
    async with stage.database.platform() as session:
        page = await alert.page(session, ListFilter(equal={"subject": job.terms.escrow_id}, limit=10), open_only=False)
    assert [(row.kind, row.status) for row in page.rows] == [
        ("escrow.decision_overdue", "firing"),
        *[("escrow.decision_overdue", "resolved")] * 4,
    ]
    assert "for 28 days beyond the agreed time" in page.rows[0].detail
    async with stage.database.platform() as session:
        await organizations.resume(session, operator, payee, now=datetime.now(UTC))
    await job.pass_time(days=1)
    assert await job.end() == "split"
    assert (await job.money())["payee"] == 42_750_000
    async with stage.database.platform() as session:
        page = await alert.page(session, ListFilter(equal={"subject": job.terms.escrow_id}, limit=10), open_only=True)
    assert not page.rows
    await replay(await job.handle.fetch_history())


async def test_pitfall_24_a_dispute_that_nobody_decides_alerts_and_then_takes_the_default(award, stage):
    job = await (await award(dispute_default_share_e4=2500)).disputed()
    await job.pass_time(days=7, hours=1)
    state = await job.state()
    assert state.status == "disputed"
    assert state.dispute.overdue_alerted
    async with stage.database.platform() as session:
        raised = [
            a
            for a in (await alert.page(session, ListFilter(limit=200), open_only=True)).rows
            if a.subject == job.terms.escrow_id
        ]
    assert [a.kind for a in raised] == ["escrow.decision_overdue"]
    await job.pass_time(days=1, hours=1)
    assert await job.end() == "split"
    assert await job.kinds() == ["opened", "funded", "delivered", "disputed", "decision_overdue", "default_applied"]
    assert (await job.money())["payee"] == 11_875_000


@pytest.fixture
async def api_away(stage):
    """Simulate an outage of the API, by the clock of the run."""

    async def away(began_at: datetime, ended_at: datetime) -> None:
        later = datetime.now(UTC) + timedelta(days=1000)
        async with stage.database.platform() as session:
            await session.merge(ApiPresence(id=1, seen_at=later, away_from=began_at, away_until=ended_at))

    yield away
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    await away(long_ago, long_ago)


async def test_deadline_is_extended_after_an_outage(award, stage, api_away):
    job = await (await award()).funded()
    deliver_by = (await job.state()).deliver_by
    await api_away(deliver_by - timedelta(hours=3), deliver_by + timedelta(hours=1))
    await job.pass_time(days=7, hours=2)
    state = await job.state()
    assert (state.status, state.deliver_by) == ("funded", deliver_by + timedelta(hours=5))
    async with stage.database.platform() as session:
        page = await alert.page(session, ListFilter(equal={"subject": job.terms.escrow_id}, limit=10), open_only=True)
    assert [row.kind for row in page.rows] == ["escrow.api_was_away"]
    await job.send("deliver", job.bot)
    await job.pass_time(days=3, hours=1)
    assert await job.end() == "released"
    assert await job.kinds() == ["opened", "funded", "delivery_extended", "delivered", "review_expired"]
    await replay(await job.handle.fetch_history())


@pytest.mark.slow
async def test_funding_period_is_extended_after_an_outage(award, api_away):
    job = await award()
    await job.open()
    fund_by = (await job.state()).fund_by
    await api_away(fund_by - timedelta(hours=3), fund_by + timedelta(hours=1))
    await job.pass_time(days=3, hours=2)
    state = await job.state()
    assert (state.status, state.fund_by) == ("open", fund_by + timedelta(hours=5))
    await job.pass_time(hours=4)
    assert await job.end() == "cancelled"
    assert await job.kinds() == ["opened", "funding_extended", "funding_expired"]
    await replay(await job.handle.fetch_history())


@pytest.mark.slow
async def test_evidence_window_is_extended_after_an_outage(award, stage, api_away):
    job = await (await award()).disputed()
    agreed = (await job.state()).dispute
    closes_at = agreed.evidence_until
    await api_away(closes_at - timedelta(hours=3), closes_at + timedelta(hours=1))
    await job.pass_time(days=3, hours=2)
    dispute = (await job.state()).dispute
    assert dispute.evidence_until == closes_at + timedelta(hours=5)
    assert dispute.default_at == agreed.default_at + timedelta(hours=5)
    for actor in (job.bot, job.finance):
        # Not by the API, which notes when it came by the database's clock, and that clock stands here.
        heard = SubmitEvidence(command_id=new_id("cmd"), actor=actor, note="as agreed")
        await job.handle.execute_update("submit_evidence", heard)
    await job.pass_time(hours=4)
    late = SubmitEvidence(command_id=new_id("cmd"), actor=job.finance, note="too late")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await job.handle.execute_update("submit_evidence", late)
    assert "evidence window closed" in str(refused.value.cause)
    async with stage.database.platform() as session:
        page = await alert.page(session, ListFilter(equal={"subject": job.terms.escrow_id}, limit=10), open_only=True)
    assert [row.kind for row in page.rows] == ["escrow.api_was_away"]
    await job.pass_time(days=5)
    assert await job.end() == "split"
    heard_of = ["default_extended", "evidence_submitted", "evidence_submitted"]
    assert (await job.kinds())[4:] == [*heard_of, "decision_overdue", "default_applied"]
    await replay(await job.handle.fetch_history())


async def test_arbiter_can_decide_while_the_evidence_window_is_open(award):
    job = await (await award()).disputed()
    assert (await job.send("resolve", job.arbiter, payee_share_e4=0)).status == "refunded"


async def test_an_arbiter_may_still_decide_after_the_alert(award):
    job = await (await award()).disputed()
    await job.pass_time(days=7, hours=1)
    assert (await job.send("resolve", job.arbiter, payee_share_e4=0)).status == "refunded"


async def test_evidence_is_taken_until_its_window_closes(award):
    job = await (await award()).disputed()
    await job.send("submit_evidence", job.bot, note="in time")
    await job.pass_time(days=3, hours=1)
    # Not by the API, which notes when it came by the database's clock, and that clock stands here.
    late = SubmitEvidence(command_id=new_id("cmd"), actor=job.finance, note="too late")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await job.handle.execute_update("submit_evidence", late)
    assert "evidence window closed" in str(refused.value.cause)


async def test_each_milestone_has_a_delivery_period_of_its_own(award):
    milestones = tuple(Milestone(name=n, amount_minor=25_000_000) for n in ("a", "b"))
    job = await (await award(milestones=milestones)).funded()
    await job.pass_time(days=6)
    await job.send("deliver", job.bot)
    await job.send("validate", job.validator, score_e4=9000)
    await job.pass_time(days=6)
    assert (await job.state()).status == "funded"
    await job.pass_time(days=2)
    assert await job.end() == "expired"
    state = await job.state()
    assert (state.released_minor + state.commission_minor, state.refunded_minor) == (25_000_000, 25_000_000)


async def test_late_steps_are_booked_at_the_time_of_the_run(award):
    job = await (await award()).funded()
    await job.pass_time(days=7, hours=1)
    await job.end()
    funded, expired = (await job.timeline())[1:]
    assert expired.at - funded.at >= timedelta(days=7)
    assert expired.recorded_at - funded.recorded_at < timedelta(days=1)


async def test_a_delivery_after_the_deadline_is_refused_and_the_payer_has_its_money(award):
    job = await (await award()).funded()
    await job.pass_time(days=8)
    with pytest.raises(WrongState):
        await job.send("deliver", job.bot)
    assert (await job.money())["payer"] == 100_000_000
