"""Deposits: the stored records, and the pure rules that update them from a view of a chain.

A *receipt* is a deposit that became final. Its key is `{asset}:{transaction}:{output or log index}`, so the same coins
are received once, however often they are seen. A receipt whose block was replaced, and which is not on the chain any
more, is reversed. If its transaction is included again later, that is a receipt of the next generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, CreatePayment
from providers.chains.addresses import DepositAddress
from providers.chains.base import ChainDeposit, ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A deposit that became final. All times but `sent_at` are ours: when finality, or its loss, was found.

    Attributes:
        asset, tx, index: its identity.
        generation: 1, incremented each time that it is included again after a reversal.
        height, block_hash: the block that holds it; both change when it moves to another block.
        sent_at: the time of the first block that had it, which determines its value.
    """

    asset: str
    tx: str
    index: int
    generation: int
    payment_id: str
    amount_minor: int
    height: int
    block_hash: str | None
    sent_at: datetime | None
    final_at: datetime
    reversed_at: datetime | None = None

    @property
    def key(self) -> str:
        return movement_key(self.asset, self.tx, self.index, self.generation)

    def movements(self) -> list[BalanceTransaction]:
        """Return its movements of the balance: the receipt, and the reversal if there was one."""
        shared = {"fee_minor": 0, "currency": self.asset, "ref": self.payment_id, "payment_id": self.payment_id}
        came = BalanceTransaction(
            key=self.key,
            kind=BalanceTransactionKind.CHARGE,
            amount_minor=self.amount_minor,
            occurred_at=self.final_at,
            # Miners set the time of a block, which may be ahead of our clock.
            sent_at=self.sent_at if self.sent_at and self.sent_at < self.final_at else None,
            statement_ref=self.tx,
            **shared,  # type: ignore[arg-type]
        )
        if self.reversed_at is None:
            return [came]
        went = BalanceTransaction(
            key=f"{self.key}:reorg",
            kind=BalanceTransactionKind.REVERSAL,
            amount_minor=-self.amount_minor,
            occurred_at=self.reversed_at,
            statement_ref=self.tx,
            **shared,  # type: ignore[arg-type]
        )
        return [came, went]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRecord:
    """The deposit address of a payment, and its receipts so far.

    Attributes:
        chain_key, index: the account that the address was derived from, and the index; the pair is never used again.
        scanned_height: everything up to this height was read and is final; the next update begins here.
        version: incremented with each change, so concurrent updates do not overwrite each other.
    """

    payment_id: str
    org_id: str
    chain: str
    asset: str
    chain_key: str
    index: int
    address: str
    memo: str | None
    amount_minor: int
    scanned_height: int
    created_at: datetime
    expires_at: datetime
    cancelled_at: datetime | None
    version: int
    receipts: tuple[Receipt, ...]

    @property
    def place(self) -> DepositAddress:
        return DepositAddress(self.address, self.memo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The changes of one update. `confirmed` are new receipts, `moved` are known ones in another block."""

    confirmed: tuple[Receipt, ...] = ()
    moved: tuple[Receipt, ...] = ()
    reversed: tuple[Receipt, ...] = ()
    scanned_height: int

    @property
    def of_money(self) -> bool:
        return bool(self.confirmed or self.moved or self.reversed)


class DepositBook(Protocol):
    """Stores deposit addresses and receipts. Each method is one transaction."""

    async def allocate(
        self,
        payment: CreatePayment,
        *,
        chain: str,
        chain_key: str,
        place: Callable[[int], DepositAddress],
        scanned_height: int,
        at: datetime,
    ) -> DepositRecord:
        """Allocate the next index of the key, which is never used again, and store the payment's address.

        The same payment gets the same record again.

        Raises:
            IdempotencyConflict: the payment has a record with another asset or amount.
            OutcomeUnknown: the record may have been made.
        """

    async def get(self, payment_id: str) -> DepositRecord | None:
        """Return the record of a payment."""

    async def recent(
        self, since: datetime, until: datetime, *, after: DepositRecord | None, limit: int
    ) -> Sequence[DepositRecord]:
        """Return a page of the records made in `[since, until)`, after the record `after`."""

    async def received(
        self, since: datetime, until: datetime, *, after: Receipt | None, limit: int
    ) -> Sequence[Receipt]:
        """Return a page of the receipts that became final or were reversed in `[since, until)`, after `after`."""

    async def settle(self, record: DepositRecord, findings: Findings) -> bool:
        """Store the findings; False, without any effect, if the record has changed since it was read."""

    async def cancel(self, payment_id: str, at: datetime) -> None:
        """Record that the payment was cancelled; the first time stays."""


def movement_key(asset: str, tx: str, index: int, generation: int = 1) -> str:
    """Name the movement of a deposit; a transaction of TON has one incoming message, and no index."""
    key = f"{asset.lower()}:{tx}" if asset == "TON" else f"{asset.lower()}:{tx}:{index}"
    return key if generation == 1 else f"{key}:{generation}"


def own_deposits(record: DepositRecord, view: ChainView) -> tuple[ChainDeposit, ...]:
    """Return the deposits of a view that belong to this payment; the comment has to match exactly.

    Deposits before the scanned height are known, or were made before the address was this payment's, because the public
    key was also used elsewhere. They do not count.
    """
    known = valid_receipts(record)
    return tuple(
        each
        for each in view.deposits
        if (each.memo == record.memo or record.memo is None)
        and (each.height is None or each.height >= record.scanned_height or (each.tx, each.index) in known)
    )


def valid_receipts(record: DepositRecord) -> dict[tuple[str, int], Receipt]:
    """Return the receipts that were not reversed, by transaction and index."""
    return {(receipt.tx, receipt.index): receipt for receipt in record.receipts if receipt.reversed_at is None}


def newly_final(record: DepositRecord, view: ChainView, confirmations: int, at: datetime) -> list[Receipt]:
    """Return the receipts that a view adds."""
    known = valid_receipts(record)
    before = [(receipt.tx, receipt.index) for receipt in record.receipts]
    return [
        Receipt(
            asset=each.asset,
            tx=each.tx,
            index=each.index,
            generation=before.count((each.tx, each.index)) + 1,
            payment_id=record.payment_id,
            amount_minor=each.amount_minor,
            height=each.height,
            block_hash=each.block_hash,
            sent_at=each.at,
            final_at=at,
        )
        for each in own_deposits(record, view)
        if each.height is not None
        and each.confirmations(view.tip) >= confirmations
        and (each.tx, each.index) not in known
    ]


def missing_receipts(record: DepositRecord, view: ChainView) -> list[Receipt]:
    """Return receipts that are missing in a view that should have them, even unconfirmed."""
    there = {(each.tx, each.index) for each in own_deposits(record, view)}
    return [
        receipt
        for known, receipt in valid_receipts(record).items()
        if known not in there and record.scanned_height <= receipt.height <= view.scanned
    ]


def pending_deposits(record: DepositRecord, view: ChainView) -> list[ChainDeposit]:
    """Return deposits that are not final yet."""
    known = valid_receipts(record)
    return [each for each in own_deposits(record, view) if (each.tx, each.index) not in known]


def received_in_full(record: DepositRecord) -> bool:
    """Return whether the receipts ever added up to the payment's amount at one time."""
    steps = sorted(
        (movement for receipt in record.receipts for movement in receipt.movements()), key=lambda each: each.occurred_at
    )
    total = 0
    for step in steps:
        total += step.amount_minor
        if total >= record.amount_minor:
            return True
    return False
