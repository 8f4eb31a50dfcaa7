"""Decays reputation scores every night."""

from datetime import date, timedelta

from temporalio import activity

from contracts.reputation.reputation import (
    ChangeRate,
    ChangeRateResult,
    ConcludeNight,
    DecayPages,
    DecayPagesResult,
    NightScoreChange,
    PlannedNight,
    PlanNight,
    ReputationNightResult,
)
from domain.messages.alert.rules import REPUTATION_ANOMALY
from domain.reputation.evidence import RATE_E4
from domain.reputation.score import points
from repositories.messages import alert
from repositories.reputation import reputation_nights as nights
from runtime.database import Database, driver_connection
from services.messages.alert_evaluation import raise_built_in
from services.reputation.reputation import recompute_stale, void_between_related

#: Decay for a date starts this long after midnight, when no event of the previous day is in flight any more.
SETTLED = timedelta(minutes=10)
#: How far ahead monthly tables of the history are created.
AHEAD = timedelta(days=31)
#: How many clients one transaction handles.
CLIENTS = 5_000
SUDDEN = REPUTATION_ANOMALY


class ReputationActivities:
    """The activities of `ReputationDecayWorkflow`. Each agent decays once for a date, also if its page is repeated."""

    def __init__(self, database: Database, *, enabled: bool = True, rate_e4: int = RATE_E4) -> None:
        """Take the database, with the platform's role, whether scores decay, and the rate."""
        self._database = database
        self._enabled = enabled
        self._rate_e4 = rate_e4

    @activity.defn(name="plan_reputation_night")
    async def plan(self, message: PlanNight) -> PlannedNight:
        """Return the date that is due, and create the tables of its month.

        Effect: the tables of the history's next months.
        Idempotent by: the month.
        """
        if not self._enabled:
            return PlannedNight(why="BURSAR_NIGHTLY_REPUTATION_UPDATE_ENABLED is false")
        latest = (message.now - SETTLED).date()
        day = message.day or latest
        if day > latest:
            return PlannedNight(why=f"the night of {day} has not come")
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            await nights.open_months(connection, day, day + AHEAD)
            changes = await nights.rate(connection) != self._rate_e4
        return PlannedNight(day=day, changes_rate=changes)

    @activity.defn(name="change_reputation_rate")
    async def change_rate(self, message: ChangeRate) -> ChangeRateResult:
        """Bring all rows up to date at the old rate, then switch to the configured rate.

        Effect: the rows of agents and clients, page by page, and the powers of the rate.
        Idempotent by: the date of each row, which is then that of its last night.
        """
        after: str | None = ""
        while after is not None:
            async with self._database.platform() as session:
                connection = await driver_connection(session)
                after = await nights.rewrite_rows(connection, message.day, after=after, limit=1_000)
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            if await nights.rate(connection) != self._rate_e4:
                await nights.change_rate(connection, message.day, self._rate_e4)
        return ChangeRateResult(rate_e4=self._rate_e4)

    @activity.defn(name="take_reputation_night")
    async def take(self, message: DecayPages) -> DecayPagesResult:
        """Decay the next agents, one transaction for each page.

        Effect: rows as of the date, a row of history for each agent that changed, an alert for sudden changes.
        Idempotent by: the agent and the date.
        """
        agents, after = 0, message.after
        for number in range(message.pages):
            async with self._database.platform() as session:
                connection = await driver_connection(session)
                page = await nights.decay_agents(connection, message.day, after=after, limit=message.limit)
                for each in page.sudden:
                    await raise_built_in(
                        session,
                        SUDDEN,
                        subject=each.agent_id,
                        detail=f"The overall score of {each.agent_id} went from {points(each.before_e6)} to "
                        f"{points(each.now_e6)} points between two nights.",
                        window=message.day.isoformat(),
                        org_id=None,
                    )
            agents, after = agents + page.agents, page.last or after
            if page.agents < message.limit:
                return DecayPagesResult(agents=agents, pages=number + 1, last=after, done=True)
        return DecayPagesResult(agents=agents, pages=message.pages, last=after, done=False)

    @activity.defn(name="conclude_reputation_night")
    async def conclude(self, message: ConcludeNight) -> ReputationNightResult:
        """Recompute stale scores, decay clients, close priors, count ranks, and report.

        Effect: the clients' rows as of the date, the row of priors, and the counts of peers; alerts of organizations
            that were found to be related; earlier nights' alerts about scores are resolved.
        Idempotent by: the client and the date; the date; the counts are computed again.
        """
        await void_between_related(self._database)
        await recompute_stale(self._database, limit=1_000_000)
        await self._take_clients(message.day)
        async with self._database.platform() as session:
            await alert.close_other_windows(session, SUDDEN, message.day.isoformat())
            connection = await driver_connection(session)
            closed = await nights.close_priors(connection, message.day)
            await nights.count_peers(connection, message.day)
            night = await nights.night_summary(connection, message.day)
        return ReputationNightResult(
            day=message.day,
            agents=night.agents,
            changed=night.changed,
            sudden=night.sudden,
            moves=tuple(NightScoreChange(agent_id=a, moved_e6=moved, stars_e6=now) for a, moved, now in night.moves),
            closed_priors=closed,
        )

    async def _take_clients(self, day: date) -> None:
        after: str | None = ""
        while after is not None:
            async with self._database.platform() as session:
                connection = await driver_connection(session)
                after = await nights.decay_clients(connection, day, after=after, limit=CLIENTS)
