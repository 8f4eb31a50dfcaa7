"""Messages of the sweep that rewards referrals."""

from contracts.common.batch import HandledPage, PageProgress


class ReferralPage(HandledPage):
    """A page of referrals: how many were rewarded, refused and clawed back, and how many failed."""

    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0


class ReferralRewards(PageProgress):
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0
