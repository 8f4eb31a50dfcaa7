"""Messages of the sweep that rewards referrals."""

from contracts.common.batch import HandledPage, PageProgress


class ReferralPage(HandledPage):
    """Result of a page of referrals: the numbers rewarded, refused, clawed back and failed."""

    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0


class ReferralRewards(PageProgress):
    rewarded: int = 0
    refused: int = 0
    taken_back: int = 0
    failed: int = 0
