"""What the runbooks tell an operator to do has the effect that they promise."""

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.errors import WrongState
from tests.workflows.conftest import Award, award, stage

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

__all__ = ["award", "stage"]  # fixtures


async def test_a_refused_decision_starts_a_terminated_run_again_with_its_deadlines(award: Award) -> None:
    job = await (await award()).delivered()
    await job.handle.terminate("by hand")
    with job.stage.env.with_time_skipping_disabled():
        with pytest.raises(WrongState):
            await job.send("resolve", job.arbiter, payee_share_e4=0)
        assert (await job.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        assert (await job.state()).status == "delivered"
    await job.pass_time(days=4)
    assert await job.end() == "released"
    assert (await job.kinds())[-1] == "review_expired"


async def test_a_refused_score_starts_a_terminated_run_of_a_dispute_again(award: Award) -> None:
    job = await (await award()).disputed()
    await job.handle.terminate("by hand")
    with job.stage.env.with_time_skipping_disabled():
        with pytest.raises(WrongState):
            await job.send("validate", job.validator, score_e4=0)
        assert (await job.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await job.pass_time(days=9)
    assert await job.end() == "split"
    assert (await job.kinds())[-2:] == ["decision_overdue", "default_applied"]
