"""Creators: payout accounts of organizations, and their destinations. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.common import errors as refusals
from domain.common.text import rfc3339

#: Words in the names of a provider's tax requirements.
_TAX = ("tax_id", "ssn", "id_number", "vat_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatorAccount:
    """Payout account of an organization, as its provider last reported it.

    Attributes:
        destination: a fingerprint of the bank account or card that receives the money; the previous one while there is
            none.
        destination_changed_at: when this destination was first reported.
        tax_profile: whether the provider has the creator's tax data.
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

    def held_until(self, hold: timedelta) -> datetime | None:
        """Return the time until which payouts are held because the destination is new."""
        changed_at = self.destination_changed_at
        return None if changed_at is None else changed_at + hold

    @property
    def status(self) -> str:
        """Return the status of the account: `onboarding`, `restricted` or `ready`."""
        if not self.details_submitted:
            return "onboarding"
        return "ready" if self.transfers_enabled and self.payouts_enabled and self.tax_profile else "restricted"


def has_tax_profile(details_submitted: bool, requirements_due: tuple[str, ...]) -> bool:
    """Return whether a provider that collects tax data has all of it."""
    return details_submitted and not any(word in due for due in requirements_due for word in _TAX)


def is_redirected(before: str | None, after: str | None) -> bool:
    """Return whether the destination is new: the first one, or another than before."""
    return after is not None and before != after


def payable_to(account: CreatorAccount | None, now: datetime, hold: timedelta) -> CreatorAccount:
    """Return the account if it can receive payouts now; `hold` is the waiting time after a change of destination.

    Raises:
        Conflict: `payout.no_account`, `payout.account_not_ready`, `payout.tax_profile_missing` or
            `payout.destination_held`.
    """
    if account is None:
        raise refusals.PayoutNoAccount(
            "The organization has no account to be paid out to. Create one with POST /billing/connect."
        )
    if not (account.transfers_enabled and account.payouts_enabled and account.destination):
        raise refusals.PayoutAccountNotReady(
            "The account cannot be paid out to yet. Open its onboarding with POST /billing/connect.",
            extra={"requirements": list(account.requirements_due), "reason": account.disabled_reason},
        )
    if not account.tax_profile:
        raise refusals.PayoutTaxProfileMissing(
            "The provider does not know yet how the creator is taxed. Open the onboarding with POST /billing/connect.",
            extra={"requirements": list(account.requirements_due)},
        )
    until = account.held_until(hold)
    if until is not None and now < until:
        raise refusals.PayoutDestinationHeld(
            f"The destination of payouts is new, so nothing is paid out before {until:%Y-%m-%d %H:%M} UTC.",
            extra={"held_until": rfc3339(until)},
        )
    return account
