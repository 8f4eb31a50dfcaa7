"""Creators: organizations that are paid out, whether they can be by now, and where the money would go. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import Conflict
from domain.text import rfc3339

#: How long nothing is paid out after the place has changed to which it goes: long enough for an owner to notice.
DESTINATION_HOLD = timedelta(hours=72)

#: Words of what a provider wants to know that are about taxes.
_TAX = ("tax_id", "ssn", "id_number", "vat_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorAccount:
    """The payout account of an organization, as its provider reported it last.

    Attributes:
        destination: a fingerprint of the bank account or card that receives the money; kept while there is none.
        held_until: nothing is paid out before then, because the destination has changed.
        tax_profile: whether the provider knows what the creator is taxed as.
    """

    org_id: str
    provider: str
    ref: str
    country: str
    details_submitted: bool = False
    transfers_enabled: bool = False
    payouts_enabled: bool = False
    tax_profile: bool = False
    requirements_due: tuple[str, ...] = ()
    disabled_reason: str | None = None
    destination: str | None = None
    destination_last4: str | None = None
    destination_currency: str | None = None
    destination_changed_at: datetime | None = None

    @property
    def held_until(self) -> datetime | None:
        """Until when nothing is paid out after a change of the destination."""
        changed_at = self.destination_changed_at
        return None if changed_at is None else changed_at + DESTINATION_HOLD

    @property
    def status(self) -> str:
        """Say in a word how far the account is: `onboarding`, `restricted` or `ready`."""
        if not self.details_submitted:
            return "onboarding"
        return "ready" if self.transfers_enabled and self.payouts_enabled and self.tax_profile else "restricted"


def has_tax_profile(details_submitted: bool, requirements_due: tuple[str, ...]) -> bool:
    """Tell whether a provider that collects tax data has all that it needs."""
    return details_submitted and not any(word in due for due in requirements_due for word in _TAX)


def is_redirected(before: str | None, after: str | None) -> bool:
    """Tell whether money goes elsewhere than it last did; the first place is no change, nor is one taken away."""
    return before is not None and after is not None and before != after


class Redirected(Conflict):
    """The destination of payouts has changed since the payout was requested."""

    code = "payout.destination_changed"


def payable_to(account: CreatorAccount | None, now: datetime) -> CreatorAccount:
    """Return the account when it can be paid out to now.

    Raises:
        Conflict: `payout.no_account`, `payout.account_not_ready`, `payout.tax_profile_missing` or
            `payout.destination_held`.
    """
    if account is None:
        raise Conflict(
            "The organization has no account to be paid out to. Create one with POST /billing/connect.",
            code="payout.no_account",
        )
    if not (account.transfers_enabled and account.payouts_enabled):
        raise Conflict(
            "The account cannot be paid out to yet. Open its onboarding with POST /billing/connect.",
            code="payout.account_not_ready",
            extra={"requirements": list(account.requirements_due), "reason": account.disabled_reason},
        )
    if not account.tax_profile:
        raise Conflict(
            "The provider does not know yet how the creator is taxed. Open the onboarding with POST /billing/connect.",
            code="payout.tax_profile_missing",
            extra={"requirements": list(account.requirements_due)},
        )
    if account.held_until is not None and now < account.held_until:
        raise Conflict(
            f"The destination of payouts was changed, so nothing is paid out before {account.held_until:%Y-%m-%d %H:%M}"
            " UTC.",
            code="payout.destination_held",
            extra={"held_until": rfc3339(account.held_until)},
        )
    return account
