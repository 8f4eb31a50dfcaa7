"""RiskTrainingWorkflow: trains a model that scores acts, every week."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.risk.training import RiskTrainingActivities
    from contracts.common.queues import regular_activity
    from contracts.risk.training import TrainedModel, TrainModel

#: The time limits of an attempt and of all attempts. The next run comes after a week.
TIMEOUT, GIVES_UP_AFTER = timedelta(hours=2), timedelta(hours=8)
HEARTBEAT = timedelta(minutes=1)


@workflow.defn(name="risk-training")
class RiskTrainingWorkflow:
    """Trains a model, which scores in shadow, and decides once it is better than the rules and the model before.

    Messages: none; a schedule starts it.
    Ends when: a model is stored, or could not be trained: then the rules decide.
    Continues as new: never; it takes one step.
    Compensates: nothing; a model that was stored stays.
    """

    @workflow.run
    async def run(self) -> TrainedModel:
        """Train a model."""
        workflow.set_current_details("Trains a model on decisions of which the end is known")
        trained = await workflow.execute_activity_method(
            RiskTrainingActivities.train_model,
            TrainModel(run=workflow.info().run_id, now=workflow.now()),
            **regular_activity("train a model", timeout=TIMEOUT, give_up_after=GIVES_UP_AFTER, heartbeat=HEARTBEAT),
        )
        workflow.set_current_details(details(trained))
        return trained


def details(trained: TrainedModel) -> str:
    """Render the run's result for operators."""
    if trained.version is None:
        return f"**No model was trained.** {trained.reason}"
    lines = [f"Model {trained.version} is **{trained.status}**. {trained.reason}", ""]
    lines += [f"- trained on {trained.acts} acts of older weeks, {trained.frauds} of them frauds"]
    return "\n".join([*lines, *(f"- {line}" for line in trained.figures)])
