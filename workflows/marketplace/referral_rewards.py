"""ReferralRewardsWorkflow: rewards referrals, every day."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.marketplace.referral import ReferralActivities
    from contracts.marketplace.referral import ReferralRewards
    from workflows.common.batch import through_activities

#: How many referrals one attempt handles, one after the other.
PAGE = 100


@workflow.defn(name="referral-rewards")
class ReferralRewardsWorkflow:
    """Rewards referrals whose payment can no longer be charged back, and claws back rewards of a payment that was.

    Messages: none; a schedule starts it.
    Ends when: every referral that was due when it started was decided.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; each referral is one transaction.
    """

    @workflow.run
    async def run(self, start: ReferralRewards | None = None) -> ReferralRewards:
        """Decide referrals page by page."""
        return await through_activities(
            start or ReferralRewards(now=workflow.now(), limit=PAGE),
            ReferralActivities.look_at_referrals,
            lambda at: at.page,
            lambda at: f"decide referrals due at {at.now:%Y-%m-%d}",
            _details,
        )


def _details(progress: ReferralRewards) -> str:
    """Render the run's progress for operators."""
    ended = progress.rewarded + progress.refused + progress.taken_back + progress.failed
    errors = f"{progress.failed}, see the worker's log; looked at again tomorrow" if progress.failed else "0"
    return "\n".join(
        (
            f"Referrals that were due at {progress.now:%Y-%m-%d %H:%M:%S} UTC",
            "",
            f"- rewarded: {progress.rewarded}",
            f"- refused: {progress.refused}",
            f"- taken back: {progress.taken_back}",
            f"- still waiting: {progress.found - ended}",
            f"- **errors**: {errors}",
        )
    )
