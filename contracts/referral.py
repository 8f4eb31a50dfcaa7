"""Messages of the sweep that rewards referrals."""

from datetime import datetime

from contracts.base import Message


class LookAtReferrals(Message):
    """Looks at up to `limit` referrals that were due at `now`, after the one of an organization."""

    now: datetime
    after: str
    limit: int


class LookedAtReferrals(Message):
    """How many were due and the last one; how many were rewarded, refused and taken back, and how many met an error."""

    found: int
    last: str
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0


class ReferralRewards(Message):
    """Where the sweep stands: what was due at `now`, so many at a time, and what became of it so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0

    def plus(self, page: LookedAtReferrals) -> "ReferralRewards":
        """Return where it stands after a page."""
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
        """Tell whether no page follows: one that is not full is the last."""
        return page.found < self.limit
