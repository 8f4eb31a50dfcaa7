"""Rewards referrals and takes rewards back."""

from datetime import timedelta

import structlog
from temporalio import activity

from contracts.referral import LookAtReferrals, LookedAtReferrals
from domain.credits import CreditPrice
from domain.referral import Rewards
from repositories import referral
from runtime.database import Database
from services import referral as service

log = structlog.get_logger("bursar.referral")


class ReferralActivities:
    """The sweep's effects on the books."""

    def __init__(
        self,
        database: Database,
        rewards: Rewards,
        price: CreditPrice,
        *,
        window: timedelta,
        exempt: tuple[str, ...] = (),
    ) -> None:
        """Take the database, as the platform, what is granted, and for how long banks take payments back.

        `exempt` are those who register organizations for many others.
        """
        self._database, self._rewards, self._price = database, rewards, price
        self._window, self._exempt = window, exempt

    @activity.defn
    async def look_at_referrals(self, message: LookAtReferrals) -> LookedAtReferrals:
        """Decide on the next page of referrals, each in a transaction of its own.

        Effect: for each that is rewarded two grants, and for each that is taken back a transfer and an alert a side.
        Idempotent by: the referral's status under its lock, and the keys of grants and transfers.
        Fails with: nothing that is final. One that meets an error is due still, and stops no other.
        """
        async with self._database.platform() as session:
            found = await referral.due(session, now=message.now, after=message.after, limit=message.limit)
        counts = {"rewarded": 0, "refused": 0, "taken_back": 0, "failed": 0}
        for org_id in found:
            try:
                async with self._database.platform() as session:
                    became = await service.look(
                        session,
                        org_id,
                        self._rewards,
                        self._price,
                        window=self._window,
                        exempt=self._exempt,
                        now=message.now,
                    )
            except Exception as error:
                log.exception("referral.not_decided", org_id=org_id, error=str(error))
                counts["failed"] += 1
            else:
                if became is not None and became.value in counts:
                    counts[became.value] += 1
            activity.heartbeat(org_id)
        return LookedAtReferrals(found=len(found), last=found[-1] if found else message.after, **counts)
