"""Messages of the sweep that rewards referrals."""

from contracts.common.batch import Handled, Handling


class LookedAtReferrals(Handled):
    """Result of a page of referrals: the numbers rewarded, refused, clawed back and failed."""

    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0


class ReferralRewards(Handling):
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0
