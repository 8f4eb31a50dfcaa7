"""Protocol of payout providers, with frozen snapshots of the provider's state.

As with payments, nothing is inferred from the order of calls or webhooks: objects are read again. The errors are those
of `providers.payments.base`. A transfer is refused temporarily if the platform's balance there is too low
(`BalanceShort`), and permanently if the destination cannot receive it (`ProviderRefused`). A transfer that was made and
cannot be read is `OutcomeUnknown`, because after a refusal it would be sent again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.payments.payment.snapshot import BalanceTransaction
from providers.payments.base import ProviderRefused


class BalanceShort(ProviderRefused):
    """The balance at the provider is too low: the platform's for a transfer, the creator's for a reversal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """Request to create a creator's account; the owner enters everything else at the provider."""

    org_id: str
    country: str
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """A creator's account as its provider reports it.

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
    """The provider's onboarding page, which can be opened once, within minutes."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransfer:
    """Request to send money to a creator's account. Amounts are minor units in the scale of `domain.common.money`."""

    payout_id: str
    account_ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSnapshot:
    """A transfer as its provider reports it, with its balance transaction."""

    ref: str
    payout_id: str | None
    account_ref: str
    amount_minor: int
    reversed_minor: int
    currency: str
    movement: BalanceTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalSnapshot:
    """A reversal of a part of a transfer, with its balance transaction."""

    ref: str
    transfer_ref: str
    amount_minor: int
    currency: str
    movement: BalanceTransaction


class PayoutProvider(Protocol):
    """Manages creators' accounts and sends them money."""

    name: str

    async def create_account(self, account: NewAccount, *, idempotency_key: str) -> AccountSnapshot:
        """Create an account. The same key gives the same account."""

    async def find_account(self, org_id: str, *, since: datetime) -> AccountSnapshot | None:
        """Find the newest account that `create_account` has created for an organization since a time."""

    async def retrieve_account(self, ref: str) -> AccountSnapshot:
        """Return an account; `ProviderNotFound` if it was deleted or has left the platform."""

    async def onboard(self, ref: str, *, return_url: str, refresh_url: str, idempotency_key: str) -> OnboardingLink:
        """Create a link to the onboarding page, where the owner enters identity and bank account."""

    async def transfer(self, transfer: NewTransfer, *, idempotency_key: str) -> TransferSnapshot:
        """Send money. The same key gives the same transfer; `BalanceShort` if the platform's balance is too low."""

    async def find_transfer(self, transfer: NewTransfer) -> TransferSnapshot | None:
        """Find the transfer of an earlier `transfer` of this payout, without making one.

        It does not rely on the provider remembering the key: objects carry `transfer.payout_id`. The caller compares
        the amount and the account.
        """

    async def reverse(
        self, transfer_ref: str, *, reversal_id: str, amount_minor: int, currency: str, idempotency_key: str
    ) -> ReversalSnapshot:
        """Reverse a part of a transfer. `reversal_id` is ours; `BalanceShort` if the creator has paid it out."""

    async def find_reversal(self, transfer_ref: str, *, reversal_id: str) -> ReversalSnapshot | None:
        """Find the reversal of an earlier `reverse`, without making one."""
