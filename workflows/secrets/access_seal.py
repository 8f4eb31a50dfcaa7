"""SecretAccessSealWorkflow: seals the access log of secrets every minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.secrets.access import SecretAccessActivities
    from contracts.common.batch import BatchPage
    from contracts.secrets.access import AccessSeals
    from workflows.common.batch import through_transactions

#: Maximum number of entries of a seal.
BATCH = 1_000


@workflow.defn(name="secret-access-seal")
class SecretAccessSealWorkflow:
    """Chains new entries of the access log by hashes, which reveal changed, removed and inserted entries.

    Messages: none; a schedule starts it.
    Ends when: every entry before the oldest open transaction is sealed.
    Continues as new: when the server suggests it.
    Compensates: nothing; the next run seals the rest.
    """

    @workflow.run
    async def run(self, start: AccessSeals | None = None) -> AccessSeals:
        """Seal page by page, after the last seal."""
        done = await through_transactions(
            start or AccessSeals(limit=BATCH, now=workflow.now()),
            SecretAccessActivities.seal_access,
            lambda at: BatchPage(limit=at.limit, now=at.now),
            lambda at: f"seal the next {at.limit} entries after {at.count}",
        )
        workflow.set_current_details(f"{done.count} entries were sealed. Seal {done.number} has the hash {done.hash}.")
        return done
