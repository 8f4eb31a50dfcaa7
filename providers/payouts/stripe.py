"""Stripe Connect: Express accounts of creators, and separate transfers to them from the platform's balance.

Nothing is charged on a creator's behalf: the platform sells in its own name (merchant of record) and transfers what it
owes. Sources: docs.stripe.com/connect/separate-charges-and-transfers, /connect/express-accounts, /api/transfers.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import stripe

from domain.common.errors import Invalid
from domain.payments.payment.snapshot import BalanceTransaction
from providers.payments.base import OutcomeUnknown, ProviderRefused
from providers.payments.stripe.amounts import from_stripe, to_stripe
from providers.payments.stripe.errors import translated
from providers.payments.stripe.fields import at, field, id_of, metadata_of
from providers.payments.stripe.keys import KEY_LIFETIME, under_key
from providers.payments.stripe.movements import reversal_movement, transfer_movement
from providers.payouts.base import (
    AccountSnapshot,
    BalanceShort,
    NewAccount,
    NewTransfer,
    OnboardingLink,
    ReversalSnapshot,
    TransferSnapshot,
)

#: Stripe's codes of a balance that is short, in the order of their age.
_SHORT = frozenset({"balance_insufficient", "insufficient_funds"})
_EXPANDED = ["balance_transaction"]


class StripeConnect:
    """Creators' accounts at Stripe, over the client that every Stripe adapter of the process shares."""

    name = "stripe"

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def create_account(self, account: NewAccount, *, idempotency_key: str) -> AccountSnapshot:
        """Make an Express account that asks for transfers and nothing else."""
        params: stripe.params.AccountCreateParams = {
            "type": "express",
            "country": account.country,
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"org_id": account.org_id},
        }
        if account.email is not None:
            params["email"] = account.email

        async def make(key: str) -> AccountSnapshot:
            with translated(changes=True):
                made = await self._client.v1.accounts.create_async(params, {"idempotency_key": key})
                return await self._account(made)

        since = datetime.now(UTC) - KEY_LIFETIME
        return await under_key(make, idempotency_key, lambda: self.find_account(account.org_id, since=since))

    async def find_account(self, org_id: str, *, since: datetime) -> AccountSnapshot | None:
        """Look through the accounts that were made since; Stripe cannot search them by what they carry."""
        with translated(changes=False):
            listed = await self._client.v1.accounts.list_async(
                {"limit": 100, "created": {"gte": int(since.timestamp())}}
            )
            async for each in listed.auto_paging_iter():
                if metadata_of(each, "org_id") == org_id:
                    return await self._account(each)
        return None

    async def retrieve_account(self, ref: str) -> AccountSnapshot:
        """Return an account."""
        with translated(changes=False):
            return await self._account(await self._client.v1.accounts.retrieve_async(ref))

    async def _account(self, account: stripe.Account) -> AccountSnapshot:
        listed = account.external_accounts
        banks = list(listed.data) if listed else []
        if listed and listed.has_more:
            # The account holds the first page alone, and whoever adds banks would choose what is on it.
            pages = await self._client.v1.accounts.external_accounts.list_async(account.id, {"limit": 100})
            banks = [each async for each in pages.auto_paging_iter()]
        return _snapshot(account, banks)

    async def onboard(self, ref: str, *, return_url: str, refresh_url: str, idempotency_key: str) -> OnboardingLink:
        """Make a link to Stripe's onboarding."""
        params: stripe.params.AccountLinkCreateParams = {
            "account": ref,
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": refresh_url,
        }

        async def make(key: str) -> OnboardingLink:
            with translated(changes=True):
                link = await self._client.v1.account_links.create_async(params, {"idempotency_key": key})
            return OnboardingLink(url=link.url, expires_at=at(link.expires_at))

        return await under_key(make, idempotency_key)

    async def transfer(self, transfer: NewTransfer, *, idempotency_key: str) -> TransferSnapshot:
        """Send money from what the platform has available at Stripe."""
        params: stripe.params.TransferCreateParams = {
            "amount": to_stripe(transfer.amount_minor, transfer.currency),
            "currency": transfer.currency.lower(),
            "destination": transfer.account_ref,
            "metadata": {"payout_id": transfer.payout_id},
            "transfer_group": transfer.payout_id,
            "expand": _EXPANDED,
        }

        async def make(key: str) -> TransferSnapshot:
            with _shortage(), translated(changes=True):
                return _transfer(await self._client.v1.transfers.create_async(params, {"idempotency_key": key}))

        return await under_key(make, idempotency_key, lambda: self.find_transfer(transfer))

    async def find_transfer(self, transfer: NewTransfer) -> TransferSnapshot | None:
        """Look through the transfers of the payout's group, of which there is one at most."""
        with translated(changes=False):
            listed = await self._client.v1.transfers.list_async(
                {"transfer_group": transfer.payout_id, "expand": ["data.balance_transaction"]}
            )
        found = [each for each in listed.data if metadata_of(each, "payout_id") == transfer.payout_id]
        return _transfer(found[0]) if found else None

    async def reverse(
        self, transfer_ref: str, *, reversal_id: str, amount_minor: int, currency: str, idempotency_key: str
    ) -> ReversalSnapshot:
        """Reverse a transfer, from what the creator's account has available at Stripe."""
        params: stripe.params.TransferReversalCreateParams = {
            "amount": to_stripe(amount_minor, currency),
            "metadata": {"reversal_id": reversal_id},
            "expand": _EXPANDED,
        }

        async def make(key: str) -> ReversalSnapshot:
            with _shortage(), translated(changes=True):
                made = await self._client.v1.transfers.reversals.create_async(
                    transfer_ref, params, {"idempotency_key": key}
                )
            return _reversal(made)

        return await under_key(make, idempotency_key, lambda: self.find_reversal(transfer_ref, reversal_id=reversal_id))

    async def find_reversal(self, transfer_ref: str, *, reversal_id: str) -> ReversalSnapshot | None:
        """Look through the reversals of a transfer."""
        with translated(changes=False):
            listed = await self._client.v1.transfers.reversals.list_async(
                transfer_ref, {"limit": 100, "expand": ["data.balance_transaction"]}
            )
            async for each in listed.auto_paging_iter():
                if metadata_of(each, "reversal_id") == reversal_id:
                    return _reversal(each)
        return None


@contextmanager
def _shortage() -> Iterator[None]:
    try:
        yield
    except ProviderRefused as error:
        if error.code in _SHORT:
            raise BalanceShort(error.detail, code=error.code) from error
        raise


def _snapshot(account: stripe.Account, listed: Sequence[object]) -> AccountSnapshot:
    banks = [each for each in listed if field(each, "default_for_currency")] or list(listed[:1])
    # Stripe lists the newest first: a bank that is added for another currency does not change in which one is paid out.
    usual = str(field(account, "default_currency"))
    bank = next((each for each in banks if field(each, "currency") == usual), banks[0] if banks else None)
    requirements = account.requirements
    return AccountSnapshot(
        ref=account.id,
        org_id=metadata_of(account, "org_id"),
        country=account.country or "",
        details_submitted=bool(account.details_submitted),
        transfers_enabled=field(account.capabilities, "transfers") == "active",
        payouts_enabled=bool(account.payouts_enabled),
        requirements_due=tuple(field(requirements, "currently_due") or ()),
        disabled_reason=field(requirements, "disabled_reason"),
        destination=_destination(banks),
        destination_last4=field(bank, "last4"),
        currency=str(field(bank, "currency")).upper() if bank else None,
    )


def _destination(banks: Sequence[object]) -> str | None:
    prints = sorted((str(field(each, "currency")), str(field(each, "fingerprint") or id_of(each))) for each in banks)
    if len(prints) < 2:
        return prints[0][1] if prints else None
    return hashlib.sha256(json.dumps(prints).encode()).hexdigest()


@contextmanager
def _made() -> Iterator[None]:
    try:
        yield
    except (ProviderRefused, Invalid) as error:
        raise OutcomeUnknown(error.detail, code="stripe.unreadable") from error


def _transfer(transfer: stripe.Transfer) -> TransferSnapshot:
    with _made():
        return TransferSnapshot(
            ref=transfer.id,
            payout_id=metadata_of(transfer, "payout_id"),
            account_ref=id_of(transfer.destination) or "",
            amount_minor=from_stripe(transfer.amount, transfer.currency),
            reversed_minor=from_stripe(transfer.amount_reversed, transfer.currency),
            currency=transfer.currency.upper(),
            movement=_moved(transfer_movement(transfer)),
        )


def _reversal(reversal: stripe.TransferReversal) -> ReversalSnapshot:
    with _made():
        return ReversalSnapshot(
            ref=reversal.id,
            transfer_ref=id_of(reversal.transfer) or "",
            amount_minor=from_stripe(reversal.amount, reversal.currency),
            currency=reversal.currency.upper(),
            movement=_moved(reversal_movement(reversal)),
        )


def _moved(movement: BalanceTransaction | None) -> BalanceTransaction:
    if movement is None:
        raise OutcomeUnknown(
            "Stripe does not show yet what it did to the balance.", code="stripe.no_balance_transaction"
        )
    return movement
