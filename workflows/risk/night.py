"""Detectors of fraud: RiskNightWorkflow over 90 days, RiskSweepWorkflow over the last minutes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.risk.night import RiskNightActivities
    from contracts.common.batch import BatchStep
    from contracts.common.queues import regular_activity
    from contracts.risk.night import DetectFraud, DetectFraudResult, RiskNight
    from workflows.common.batch import through_pages

HEARTBEAT = timedelta(minutes=1)


@workflow.defn(name="risk-night")
class RiskNightWorkflow:
    """Finds clusters, rings, junk deliveries, refund abuse and anomalous scores of a night, and opens cases.

    Messages: none; a schedule starts it.
    Ends when: every detector has run.
    Continues as new: when the server suggests it, before the next detector.
    Compensates: nothing; a repeated night opens no second case of a kind and group.
    """

    @workflow.run
    async def run(self, start: RiskNight | None = None) -> RiskNight:
        """Run the detectors one after the other, each in pages of one activity."""
        progress = start or RiskNight()
        if progress.now is None:
            progress = progress.model_copy(update={"now": workflow.now()})
        done = await through_pages(progress, self._detect)
        workflow.set_current_details(details(done))
        return done

    async def _detect(self, progress: RiskNight) -> DetectFraudResult:
        assert progress.now is not None
        workflow.set_current_details(details(progress))
        return await workflow.execute_activity_method(
            RiskNightActivities.detect,
            DetectFraud(kind=progress.detector, now=progress.now),
            **regular_activity(f"look for {progress.detector}", timeout=timedelta(hours=2), heartbeat=HEARTBEAT),
        )


@workflow.defn(name="risk-sweep")
class RiskSweepWorkflow:
    """Blocks addresses and devices that test cards, and holds the earnings of accounts that were taken over.

    Messages: none; a schedule starts it.
    Ends when: the payments of the last hour and the payouts of the last minutes were looked at.
    """

    @workflow.run
    async def run(self) -> DetectFraudResult:
        """Look at what happened since."""
        done = await workflow.execute_activity_method(
            RiskNightActivities.sweep,
            BatchStep(now=workflow.now()),
            **regular_activity(
                "look for card testing and takeovers", timeout=timedelta(minutes=5), heartbeat=HEARTBEAT
            ),
        )
        workflow.set_current_details(f"Findings: {done.found}; new cases: {done.opened}")
        return done


def details(night: RiskNight) -> str:
    """Render the progress for operators."""
    return (
        f"Night of {night.now:%Y-%m-%d}: {night.step} detectors done, {night.read} rows read, {night.found} findings, "
        f"**{night.opened} new cases**"
    )
