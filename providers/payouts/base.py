"""The seam between payouts and whoever sends the money: one Protocol, and frozen snapshots of the provider's state.

As with payments nothing is inferred from the order of calls or webhooks: objects are read again. The errors are those
of `providers.payments.base`. A transfer is refused temporarily if the platform's balance there is too low
(`BalanceShort`), and for good if the destination cannot receive it (`ProviderRefused`). A transfer that was made and
cannot be read is `OutcomeUnknown`; a refusal would have it sent twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.payments.payment.snapshot import BalanceTransaction
from providers.payments.base import ProviderRefused


class BalanceShort(ProviderRefused):
    """Not enough is available at the provider: the platform's for a transfer, the creator's for a reversal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A creator's account to be made at the provider; who owns it tells the provider everything else."""

    org_id: str
    country: str
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """A creator's account as it stands at the provider.

    Attributes:
        ref: the provider's id.
        org_id: ours, as stored at the provider; None if the account was not created by us.
        details_submitted: whether its owner has completed the onboarding.
        transfers_enabled: whether the platform can send it money.
        payouts_enabled: whether the provider sends that money on to the owner's bank.
        requirements_due: the information that the provider still requires.
        disabled_reason: the provider's reason for disabling the account.
        destination: a fingerprint of the bank account or card; None before there is one.
        destination_last4: its last digits.
        currency: the destination's.
    """

    ref: str
    org_id: str | None
    country: str
    details_submitted: bool
    transfers_enabled: bool
    payouts_enabled: bool
    requirements_due: tuple[str, ...]
    disabled_reason: str | None
    destination: str | None
    destination_last4: str | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardingLink:
    """A page of the provider that can be opened once, for minutes."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransfer:
    """Money to be sent to a creator's account. Amounts are minor units in the scale of `domain.common.money`."""

    payout_id: str
    account_ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSnapshot:
    """A transfer as it stands at the provider; `movement` is what it did to the platform's balance there."""

    ref: str
    payout_id: str | None
    account_ref: str
    amount_minor: int
    reversed_minor: int
    currency: str
    movement: BalanceTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalSnapshot:
    """The reversed part of a transfer, and its movement of the platform's balance."""

    ref: str
    transfer_ref: str
    amount_minor: int
    currency: str
    movement: BalanceTransaction


class PayoutProvider(Protocol):
    """Keeps creators' accounts and sends them money."""

    name: str

    async def create_account(self, account: NewAccount, *, idempotency_key: str) -> AccountSnapshot:
        """Make an account. The same key gives the same account."""

    async def find_account(self, org_id: str, *, since: datetime) -> AccountSnapshot | None:
        """Find the newest account that an earlier `create_account` has made for an organization since a time."""

    async def retrieve_account(self, ref: str) -> AccountSnapshot:
        """Return an account as it stands there now; `ProviderNotFound` where it is gone, or has left the platform."""

    async def onboard(self, ref: str, *, return_url: str, refresh_url: str, idempotency_key: str) -> OnboardingLink:
        """Make a link to the page on which the owner of an account tells who they are and where the money goes."""

    async def transfer(self, transfer: NewTransfer, *, idempotency_key: str) -> TransferSnapshot:
        """Send money. The same key gives the same transfer; `BalanceShort` when the platform has not got it there."""

    async def find_transfer(self, transfer: NewTransfer) -> TransferSnapshot | None:
        """Find what an earlier `transfer` of this payout made, without making anything.

        It does not rely on the provider remembering the key: objects carry `transfer.payout_id`. The caller compares
        the amount and the account.
        """

    async def reverse(
        self, transfer_ref: str, *, reversal_id: str, amount_minor: int, currency: str, idempotency_key: str
    ) -> ReversalSnapshot:
        """Reverse a part of a transfer. `reversal_id` is ours; `BalanceShort` if the creator has paid it out."""

    async def find_reversal(self, transfer_ref: str, *, reversal_id: str) -> ReversalSnapshot | None:
        """Find what an earlier `reverse` made, without making anything."""
