"""What is kept of deposits, and what follows from a look at a chain. The rules are pure; the book is a Protocol.

A *receipt* is a deposit that became final. Its key is `{asset}:{transaction}:{output or log index}`, so the same coins
are received once however often they are seen. A final receipt whose block was replaced, and which is not on the chain
any more, is reversed; should its transaction be included again later, that is a receipt of the next generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.payment.snapshot import BalanceTransaction, BalanceTransactionKind, CreatePayment
from providers.chains.addresses import Place
from providers.chains.base import ChainDeposit, ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A deposit that became final. Times are ours, of when finality or its loss was found, but for `sent_at`.

    Attributes:
        asset, tx, index: what it is known by.
        generation: one, and one more each time that it came back after it was reversed.
        height, block_hash: the block that holds it; both change when it moves to another block.
        sent_at: the time of the block that held it first: what it is worth is decided by then.
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
        """The key of its movement."""
        return movement_key(self.asset, self.tx, self.index, self.generation)

    def movements(self) -> list[BalanceTransaction]:
        """Return what it did to the balance: it came in, and perhaps it was taken back by the chain."""
        shared = {"fee_minor": 0, "currency": self.asset, "ref": self.payment_id, "payment_id": self.payment_id}
        came = BalanceTransaction(
            key=self.key,
            kind=BalanceTransactionKind.CHARGE,
            amount_minor=self.amount_minor,
            occurred_at=self.final_at,
            # Whoever mines a block sets its time, and may be ahead of our clock.
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
    """The place that a payment was given, and what was received there so far.

    Attributes:
        chain_key, index: the account that the place was derived from and its index; the pair is used once, for ever.
        scanned_height: everything up to this height has been seen and is final; the next look begins here.
        version: grows with each change, so that two looks at once do not undo each other.
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
    def place(self) -> Place:
        """Where the payer sends coins to."""
        return Place(self.address, self.memo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at the chain changes. `confirmed` are new receipts, `moved` are known ones in another block."""

    confirmed: tuple[Receipt, ...] = ()
    moved: tuple[Receipt, ...] = ()
    reversed: tuple[Receipt, ...] = ()
    scanned_height: int

    @property
    def of_money(self) -> bool:
        """Whether a receipt changes at all."""
        return bool(self.confirmed or self.moved or self.reversed)


class DepositBook(Protocol):
    """Keeps places and receipts. Each method is one transaction."""

    async def allocate(
        self,
        payment: CreatePayment,
        *,
        chain: str,
        chain_key: str,
        place: Callable[[int], Place],
        scanned_height: int,
        at: datetime,
    ) -> DepositRecord:
        """Give the payment the next index of the key, which no other payment ever gets, and keep its place.

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
        """Return a page of the records that were made in `[since, until)`, from behind `after` on."""

    async def received(
        self, since: datetime, until: datetime, *, after: Receipt | None, limit: int
    ) -> Sequence[Receipt]:
        """Return a page of the receipts that became final or were reversed in `[since, until)`, behind `after`."""

    async def settle(self, record: DepositRecord, findings: Findings) -> bool:
        """Keep what was found; False, and nothing kept, when the record has changed since it was read."""

    async def cancel(self, payment_id: str, at: datetime) -> None:
        """Note that nobody waits for this payment any more; the first note stays."""


def movement_key(asset: str, tx: str, index: int, generation: int = 1) -> str:
    """Name the movement of a deposit; a transaction of TON has one incoming message, and no index."""
    key = f"{asset.lower()}:{tx}" if asset == "TON" else f"{asset.lower()}:{tx}:{index}"
    return key if generation == 1 else f"{key}:{generation}"


def mine(record: DepositRecord, view: ChainView) -> tuple[ChainDeposit, ...]:
    """Return the deposits of a view that are this payment's; the comment has to be exactly right.

    What is older than where the look began is known, or came before the place was this payment's, because the same
    public key was used elsewhere. It is not counted.
    """
    known = standing(record)
    return tuple(
        each
        for each in view.deposits
        if (each.memo == record.memo or record.memo is None)
        and (each.height is None or each.height >= record.scanned_height or (each.tx, each.index) in known)
    )


def standing(record: DepositRecord) -> dict[tuple[str, int], Receipt]:
    """Return the receipts that were not reversed, by transaction and index."""
    return {(receipt.tx, receipt.index): receipt for receipt in record.receipts if receipt.reversed_at is None}


def newly_final(record: DepositRecord, view: ChainView, confirmations: int, at: datetime) -> list[Receipt]:
    """Return the receipts that a view adds."""
    known = standing(record)
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
        for each in mine(record, view)
        if each.height is not None
        and each.confirmations(view.tip) >= confirmations
        and (each.tx, each.index) not in known
    ]


def missing(record: DepositRecord, view: ChainView) -> list[Receipt]:
    """Return standing receipts that a view should have and has not, not even unconfirmed."""
    there = {(each.tx, each.index) for each in mine(record, view)}
    return [
        receipt
        for known, receipt in standing(record).items()
        if known not in there and record.scanned_height <= receipt.height <= view.scanned
    ]


def pending(record: DepositRecord, view: ChainView) -> list[ChainDeposit]:
    """Return what was sent and is not yet final."""
    known = standing(record)
    return [each for each in mine(record, view) if (each.tx, each.index) not in known]


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
