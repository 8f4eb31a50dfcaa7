"""SecretAccessSealWorkflow: seals the log of access to secrets, every minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.secrets.access import SecretAccessActivities
    from contracts.common.batch import BatchPage
    from contracts.secrets.access import AccessSeals
    from workflows.common.batch import through_transactions

#: How many entries one seal covers.
BATCH = 1_000


@workflow.defn(name="secret-access-seal")
class SecretAccessSealWorkflow:
    """Chains new entries of the access log by hashes, so that a changed, removed or inserted one is found.

    Messages: none; a schedule starts it.
    Ends when: every entry behind the oldest open transaction is sealed.
    Continues as new: when the server suggests it.
    Compensates: nothing; the next run seals what this one left.
    """

    @workflow.run
    async def run(self, start: AccessSeals | None = None) -> AccessSeals:
        """Seal page by page, from the last seal on."""
        done = await through_transactions(
            start or AccessSeals(limit=BATCH, now=workflow.now()),
            SecretAccessActivities.seal_access,
            lambda at: BatchPage(limit=at.limit, now=at.now),
            lambda at: f"seal the next {at.limit} entries after {at.count}",
        )
        workflow.set_current_details(f"{done.count} entries were sealed. Seal {done.number} has the hash {done.hash}.")
        return done
