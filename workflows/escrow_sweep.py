"""EscrowSweepWorkflow: gives a run back to escrows that lost theirs."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.escrow import EscrowActivities
    from contracts.escrow import EscrowInput, FindOverdue, SweepResult
    from contracts.queues import local_activity
    from contracts.search_attributes import search_attributes
    from domain.access import Actor, Role
    from domain.escrow.state import Escrow
    from domain.escrow.story import summary
    from domain.ids import escrow_workflow_id
    from workflows.escrow import EscrowWorkflow

#: How long a deadline may have passed before its escrow is taken for one without a run.
PATIENCE = timedelta(minutes=5)
#: How many escrows one sweep looks at; the next one goes on.
BATCH = 100


@workflow.defn(name="escrow-sweep")
class EscrowSweepWorkflow:
    """Starts again the runs of escrows that somebody terminated, once their deadline has passed.

    A terminated run has no timers, so nothing would end its escrow until somebody sends a command. The books know
    what the run knew, and the run that starts from them does at once what the deadline does.

    Messages: none; a schedule starts it.
    Ends when: each overdue escrow has a run.
    Continues as new: never; it looks at a bounded number.
    Compensates: nothing; a run that lives is left alone.
    """

    @workflow.run
    async def run(self) -> SweepResult:
        """Find overdue escrows and start those runs that are not there."""
        found = await workflow.execute_local_activity_method(
            EscrowActivities.find_overdue,
            FindOverdue(before=workflow.now() - PATIENCE, limit=BATCH),
            **local_activity("find escrows whose deadline has passed"),
        )
        started = [escrow.terms.escrow_id for escrow in found.escrows if await _start(escrow)]
        if started:
            workflow.logger.warning("escrows without a run were started again", extra={"escrows": started})
        return SweepResult(overdue=len(found.escrows), started=len(started))


async def _start(escrow: Escrow) -> bool:
    terms = escrow.terms
    try:
        await workflow.start_child_workflow(
            EscrowWorkflow.run,
            EscrowInput(
                terms=terms,
                opened_by=Actor(principal="escrow-sweep", role=Role.OPERATOR),
                command_id="escrow-sweep",
                escrow=escrow,
            ),
            id=escrow_workflow_id(terms.contract_id),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=summary(terms),
            search_attributes=search_attributes(
                org_id=terms.payer_org_id,
                agent_id=terms.agent_id,
                state=escrow.status.value,
                amount_minor=terms.amount_minor,
                currency=terms.currency,
            ),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
