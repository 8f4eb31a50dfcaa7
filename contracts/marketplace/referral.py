"""Messages of the sweep that rewards referrals."""

from datetime import datetime

from contracts.common.base import Message


class LookAtReferrals(Message):
    """Decides up to `limit` referrals that were due at `now`, after the one of an organization."""

    now: datetime
    after: str
    limit: int


class LookedAtReferrals(Message):
    """The number due and the last one; how many were rewarded, refused and clawed back, and how many failed."""

    found: int
    last: str
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0


class ReferralRewards(Message):
    """Progress of the sweep over referrals due at `now`: the page size, and the outcomes so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0

    def plus(self, page: LookedAtReferrals) -> "ReferralRewards":
        """Return the progress after a page."""
        return ReferralRewards(
            now=self.now,
            limit=self.limit,
            after=page.last,
            found=self.found + page.found,
            rewarded=self.rewarded + page.rewarded,
            refused=self.refused + page.refused,
            taken_back=self.taken_back + page.taken_back,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: LookedAtReferrals) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit
