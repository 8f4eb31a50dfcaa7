"""Rewards referrals and takes rewards back."""

from datetime import timedelta

import structlog
from temporalio import activity

from activities.common.one_by_one import one_by_one
from contracts.common.batch import DuePage
from contracts.marketplace.referral import ReferralPage
from domain.common.credits import CreditPrice
from domain.marketplace.referral import ReferralStatus, Rewards
from repositories.marketplace import referral
from runtime.database import Database
from services.marketplace import referral as service

log = structlog.get_logger("bursar.referral")


class ReferralActivities:
    """The activity of `ReferralRewardsWorkflow`."""

    def __init__(
        self,
        database: Database,
        rewards: Rewards,
        price: CreditPrice,
        *,
        window: timedelta,
        exempt: tuple[str, ...] = (),
    ) -> None:
        """Take the database, as the platform, the rewards, and for how long payments can be charged back.

        `exempt` are principals that register organizations on behalf of others.
        """
        self._database, self._rewards, self._price = database, rewards, price
        self._window, self._exempt = window, exempt

    @activity.defn
    async def look_at_referrals(self, message: DuePage) -> ReferralPage:
        """Decide the next page of referrals, each in its own transaction.

        Effect: two grants for each rewarded referral; a transfer and an alert for each side of a clawed back one.
        Idempotent by: the referral's status under its lock, and the keys of grants and transfers.
        Fails with: nothing that is final. One that fails stays due, and does not stop the others.
        """
        async with self._database.platform() as session:
            found = await referral.due(session, now=message.now, after=message.after, limit=message.limit)

        async def look(org_id: str) -> ReferralStatus | None:
            async with self._database.platform() as session:
                return await service.check_referral(
                    session,
                    org_id,
                    self._rewards,
                    self._price,
                    window=self._window,
                    exempt=self._exempt,
                    now=message.now,
                )

        done = await one_by_one(found, look, self._failed)
        return ReferralPage(
            found=len(found),
            last=found[-1] if found else message.after,
            rewarded=done.count(ReferralStatus.REWARDED),
            refused=done.count(ReferralStatus.REFUSED),
            taken_back=done.count(ReferralStatus.TAKEN_BACK),
            failed=len(found) - len(done),
        )

    async def _failed(self, org_id: str, error: Exception) -> None:
        log.exception("referral.not_decided", org_id=org_id, error=str(error))
