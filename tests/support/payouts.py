"""A payout provider in memory: what it does with an account is in the account's name, unless a test changes it."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from providers.payments.base import CredentialsRefused, OutcomeUnknown, ProviderNotFound, ProviderRefused
from providers.payments.stripe.amounts import to_stripe
from providers.payouts.base import (
    AccountSnapshot,
    BalanceShort,
    NewAccount,
    NewTransfer,
    OnboardingLink,
    ReversalSnapshot,
    TransferSnapshot,
)


class FakePayouts:
    """Sends immediately; `acct_short_…` lacks funds, `acct_lost_…` gives no response, `acct_refused_…` is refused."""

    name = "fake"

    def __init__(self) -> None:
        self.modes: dict[str, str] = {}
        self.banks: dict[str, str] = {}
        self.sent: dict[str, TransferSnapshot] = {}
        self.back: dict[str, ReversalSnapshot] = {}
        self.keys: list[str] = []
        self.numbers = itertools.count(1)

    def mode(self, ref: str) -> str:
        return self.modes.get(ref, ref.split("_")[1])

    async def create_account(self, account: NewAccount, *, idempotency_key: str) -> AccountSnapshot:
        raise NotImplementedError("Accounts are made at the Stripe sandbox alone.")

    async def find_account(self, org_id: str, *, since: datetime) -> AccountSnapshot | None:
        raise NotImplementedError("Accounts are made at the Stripe sandbox alone.")

    async def onboard(self, ref: str, *, return_url: str, refresh_url: str, idempotency_key: str) -> OnboardingLink:
        raise NotImplementedError("Accounts are made at the Stripe sandbox alone.")

    async def retrieve_account(self, ref: str) -> AccountSnapshot:
        if self.mode(ref) == "gone":
            raise ProviderNotFound("There is no such account.")
        if self.mode(ref) == "key_refused":
            raise CredentialsRefused("Stripe does not take the key.", code="stripe.key_refused")
        return AccountSnapshot(
            ref=ref,
            org_id=None,
            country="US",
            details_submitted=True,
            transfers_enabled=True,
            payouts_enabled=True,
            requirements_due=(),
            disabled_reason=None,
            destination=self.banks.get(ref, "bank"),
            destination_last4="6789",
            currency="USD",
        )

    async def transfer(self, transfer: NewTransfer, *, idempotency_key: str) -> TransferSnapshot:
        mode = self.mode(transfer.account_ref)
        if mode == "short":
            raise BalanceShort("insufficient", code="balance_insufficient")
        if mode == "refused":
            raise ProviderRefused("This account takes nothing.", code="account_invalid")
        self.keys.append(idempotency_key)
        ref = f"tr_{transfer.payout_id}"
        self.sent.setdefault(transfer.payout_id, _sent(transfer, ref))
        if mode == "lost":
            raise OutcomeUnknown("cut off")
        return self.sent[transfer.payout_id]

    async def find_transfer(self, transfer: NewTransfer) -> TransferSnapshot | None:
        if self.mode(transfer.account_ref) == "lost":
            raise OutcomeUnknown("cut off")
        found = self.sent.get(transfer.payout_id)
        return None if found is None else replace(found, reversed_minor=self.reversed_of(found.ref))

    def reversed_of(self, ref: str) -> int:
        return sum(each.amount_minor for each in self.back.values() if each.transfer_ref == ref)

    async def reverse(
        self, transfer_ref: str, *, reversal_id: str, amount_minor: int, currency: str, idempotency_key: str
    ) -> ReversalSnapshot:
        to_stripe(amount_minor, currency)
        sent = next(each for each in self.sent.values() if each.ref == transfer_ref)
        mode = self.mode(sent.account_ref)
        if mode == "spent":
            raise BalanceShort("The creator has paid it out.", code="balance_insufficient")
        back = sum(each.amount_minor for each in self.back.values() if each.transfer_ref == transfer_ref)
        if reversal_id not in self.back and back + amount_minor > sent.amount_minor:
            raise ProviderRefused("More than is left of the transfer.", code="amount_too_large")
        self.back.setdefault(reversal_id, _back(sent, reversal_id, amount_minor))
        if mode == "lost":
            raise OutcomeUnknown("cut off")
        return self.back[reversal_id]

    async def find_reversal(self, transfer_ref: str, *, reversal_id: str) -> ReversalSnapshot | None:
        return self.back.get(reversal_id)


def _sent(transfer: NewTransfer, ref: str) -> TransferSnapshot:
    movement = BalanceTransaction(
        key=ref,
        kind=BalanceTransactionKind.PAYOUT,
        amount_minor=-transfer.amount_minor,
        fee_minor=0,
        currency=transfer.currency,
        occurred_at=datetime.now(UTC) - timedelta(seconds=1),
        ref=ref,
    )
    return TransferSnapshot(
        ref=ref,
        payout_id=transfer.payout_id,
        account_ref=transfer.account_ref,
        amount_minor=transfer.amount_minor,
        reversed_minor=0,
        currency=transfer.currency,
        movement=movement,
    )


def _back(sent: TransferSnapshot, reversal_id: str, amount_minor: int) -> ReversalSnapshot:
    ref = f"trr_{reversal_id}"
    movement = BalanceTransaction(
        key=ref,
        kind=BalanceTransactionKind.PAYOUT_REVERSAL,
        amount_minor=amount_minor,
        fee_minor=0,
        currency=sent.currency,
        occurred_at=datetime.now(UTC) - timedelta(seconds=1),
        ref=sent.ref,
    )
    return ReversalSnapshot(
        ref=ref, transfer_ref=sent.ref, amount_minor=amount_minor, currency=sent.currency, movement=movement
    )
