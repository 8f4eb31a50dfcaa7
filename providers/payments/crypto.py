"""Payments in coins: every payment has its own deposit address, and deposits count when they are final.

There are no private keys here, so a payment cannot be refunded in coins, only in credits. Chains send no webhooks: a
payment is read when it is refreshed.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.common.errors import IdempotencyConflict
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    CreatePayment,
    Deposit,
    DisputeEvidence,
    NextAction,
    ProviderEvent,
    ProviderStatus,
    RefundSnapshot,
    Snapshot,
)
from providers.chains.addresses import Account
from providers.chains.base import ChainView, Watcher
from providers.payments.base import (
    BadSignature,
    ProviderNotFound,
    ProviderRefused,
    ProviderUnavailable,
    StatementIncomplete,
    UnreadSource,
)
from providers.payments.deposits import (
    DepositBook,
    DepositRecord,
    Findings,
    Receipt,
    missing_receipts,
    movement_key,
    newly_final,
    own_deposits,
    pending_deposits,
    received_in_full,
    valid_receipts,
)

#: Minimum amounts: nodes do not relay an output to a SegWit address below 294 satoshi (Bitcoin Core's dust limit at its
#: default rate). Other assets have no such limit.
MIN_AMOUNT_MINOR = {"BTC": 294}
_TRIES = 3
#: How many deposit addresses or receipts are in memory at a time while a statement is listed.
PAGE = 500
#: After how many consecutive timeouts a chain counts as silent.
MAX_TIMEOUTS = 20


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain: the account that deposit addresses are derived from, and its watcher."""

    account: Account
    watcher: Watcher


class CryptoProvider:
    """`PaymentProvider` for coins. A payment's currency is the asset: BTC, ETH, USDC or TON."""

    name = "crypto"

    def __init__(
        self,
        *chains: Chain,
        book: DepositBook,
        clock: Callable[[], datetime],
        watched_for: timedelta = timedelta(days=90),
    ) -> None:
        """Take the chains.

        Args:
            chains: no two of them have the same asset.
            book: stores deposit addresses and receipts.
            clock: returns the time, aware and in UTC.
            watched_for: how long after a payment was made `list_movements` still reads its address.
        """
        self._chains: Mapping[str, Chain] = {asset: chain for chain in chains for asset in chain.account.assets}
        self._book = book
        self._clock = clock
        self._watched_for = watched_for

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Allocate a deposit address, once for the payment's id, whatever the key."""
        del idempotency_key
        chain = self._chain(payment.currency)
        if payment.manual_capture or payment.method_ref or payment.off_session:
            raise ProviderRefused(
                "The payer sends coins: they can be neither charged nor authorized.", code="payment.not_supported"
            )
        if payment.amount_minor < MIN_AMOUNT_MINOR.get(payment.currency, 1):
            raise ProviderRefused("The amount is too small to be sent.", code="payment.amount_too_small")
        tip = await chain.watcher.tip()
        try:
            record = await self._book.allocate(
                payment,
                chain=chain.account.chain,
                chain_key=chain.account.key,
                place=chain.account.address_at,
                # A block that replaces one of the newest may hold the payment at a lower height.
                scanned_height=max(0, tip - chain.watcher.reorg_depth),
                at=self._clock(),
            )
        except IdempotencyConflict as conflict:
            raise ProviderRefused(conflict.detail, code="payment.conflict") from None
        return self._snapshot(record, ChainView(tip=tip, scanned=tip, deposits=()))

    async def retrieve(self, ref: str) -> Snapshot:
        """Read the chain, store new final deposits, and return the payment."""
        return self._snapshot(*await self._refresh(await self._record(ref)))

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:
        """Return the payment if it has a deposit address."""
        del idempotency_key
        record = await self._book.get(payment.payment_id)
        return None if record is None else self._snapshot(*await self._refresh(record))

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        """Read the chain; the payer sends the coins themselves."""
        del method_ref, idempotency_key
        return await self.retrieve(ref)

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        """Refuse: coins that arrived are there, and there is nothing to capture."""
        del ref, amount_minor, idempotency_key
        raise ProviderRefused("A payment in coins has no authorization to capture.", code="payment.not_supported")

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:
        """Stop waiting for the payment unless something was sent; what still arrives is not lost."""
        del idempotency_key
        record, view = await self._refresh(await self._record(ref))
        if not record.receipts and not pending_deposits(record, view):
            await self._book.cancel(ref, self._clock())
            record = await self._record(ref)
        return self._snapshot(record, view)

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Refuse: nothing can be sent without a private key."""
        del ref, refund_id, amount_minor, reason, idempotency_key
        raise ProviderRefused(
            "Coins cannot be refunded from here, because no private key is stored. Grant credits instead.",
            code="payment.not_refundable",
        )

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:
        """Return nothing: no refund is ever made."""
        del ref, refund_id, idempotency_key
        return None

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:
        """Refuse: nobody can dispute a payment in coins."""
        del dispute_ref, evidence, idempotency_key
        raise ProviderRefused("Payments in coins cannot be disputed.", code="payment.not_supported")

    async def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """Read every address that is still watched, then list what became final or was reversed in the window.

        The time of a movement is when it was found final, so none appears later in a window that was listed. Deposits
        to a shared address without a known comment are listed at the time of their block. Addresses that cannot be read
        do not stop the others; `StatementIncomplete` names them at the end.
        """
        shared: dict[tuple[str, str], list[DepositRecord]] = defaultdict(list)
        place: DepositRecord | None = None
        unread = _Unread()
        while page := await self._book.recent(since - self._watched_for, until, after=place, limit=PAGE):
            place = page[-1]
            watched = [record for record in page if record.asset in self._chains]
            for record in watched:
                if record.memo is not None:
                    shared[record.asset, record.address].append(record)
            await self._sweep([record for record in watched if record.memo is None], unread)
        async for movement in self._sweep_shared(shared, since, unread):
            if since <= movement.occurred_at < until:
                yield movement
        last: Receipt | None = None
        while receipts := await self._book.received(since, until, after=last, limit=PAGE):
            last = receipts[-1]
            for movement in (movement for receipt in receipts for movement in receipt.movements()):
                if since <= movement.occurred_at < until:
                    yield movement
        if unread.places:
            raise StatementIncomplete(unread.places)

    async def _sweep(self, records: list[DepositRecord], unread: "_Unread") -> None:
        """Update the records of addresses that are not shared.

        Anybody can flood an address until it cannot be read, so an unreadable one is noted and does not stop the
        others.
        """
        # The record that is furthest behind is next, so all advance together and read each block once.
        behind = [(record.scanned_height, record.payment_id, record) for record in records]
        heapq.heapify(behind)
        while behind:
            record = heapq.heappop(behind)[-1]
            chain = self._chain(record.asset)
            if unread.is_silent(chain):
                continue
            try:
                record, view = await self._step(record)
            except ProviderUnavailable as error:
                await unread.add(chain, record.payment_id, error)
                continue
            unread.answered(chain)
            if not view.complete:
                heapq.heappush(behind, (record.scanned_height, record.payment_id, record))

    async def _sweep_shared(
        self, shared: Mapping[tuple[str, str], list[DepositRecord]], since: datetime, unread: "_Unread"
    ) -> AsyncIterator[BalanceTransaction]:
        for (asset, address), sharing in shared.items():
            chain, memos = self._chain(asset), {record.memo for record in sharing}
            try:
                await self._catch_up(chain, sharing, unread)
                async for view in _views(chain.watcher, asset, address, since_height=0, since_at=since):
                    for stray in _unmatched_deposits(memos, view):
                        yield stray
            except ProviderUnavailable as error:
                await unread.add(chain, address, error, has_gap=True)

    async def _catch_up(self, chain: Chain, sharing: Sequence[DepositRecord], unread: "_Unread") -> None:
        """Update the records of one shared address; each view is read once for all of them."""
        records = {record.payment_id: record for record in sharing}
        height = min(record.scanned_height for record in sharing)
        at = min(record.created_at for record in sharing)
        one = sharing[0]
        async for view in _views(chain.watcher, one.asset, one.address, since_height=height, since_at=at):
            for payment_id, record in list(records.items()):
                try:
                    records[payment_id], seen = await self._step(record, view)
                    if seen is not view:
                        # Somebody else looked meanwhile. What follows this view need not follow what was read then.
                        await self._refresh(records.pop(payment_id))
                except ProviderUnavailable as error:
                    records.pop(payment_id, None)
                    await unread.add(chain, payment_id, error)

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Refuse: no chain sends webhooks, so whatever comes is from somebody else."""
        del body, headers
        raise BadSignature("Chains send no webhooks.", code="webhook.bad_signature")

    def _chain(self, asset: str) -> Chain:
        try:
            return self._chains[asset]
        except KeyError:
            raise ProviderRefused(f"Payments in {asset[:16]} are not accepted.", code="payment.not_supported") from None

    async def _record(self, ref: str) -> DepositRecord:
        record = await self._book.get(ref)
        if record is None:
            raise ProviderNotFound("There is no such payment.")
        return record

    async def _refresh(self, record: DepositRecord) -> tuple[DepositRecord, ChainView]:
        """Update the record from the chain. Each step is stored, so an interrupted update is continued."""
        record, view = await self._step(record)
        while not view.complete:
            record, view = await self._step(record)
        return record, view

    async def _step(self, record: DepositRecord, view: ChainView | None = None) -> tuple[DepositRecord, ChainView]:
        """Read the chain once; a given view is used for the first try."""
        watcher = self._chain(record.asset).watcher
        for _ in range(_TRIES):
            view = view or await watcher.deposits(
                record.asset, record.address, since_height=record.scanned_height, since_at=record.created_at
            )
            findings = await self._findings(record, view, watcher)
            progress = findings.scanned_height - record.scanned_height
            # To write down every step of the scan would be a transaction each time that somebody looks.
            if not findings.of_money and view.complete and progress <= watcher.reorg_depth:
                return record, view
            if await self._book.settle(record, findings):
                return await self._record(record.payment_id), view
            record, view = await self._record(record.payment_id), None
        raise ProviderUnavailable("The payment was refreshed too often at once.", code="payment.busy")

    async def _findings(self, record: DepositRecord, view: ChainView, watcher: Watcher) -> Findings:
        known = valid_receipts(record)
        final = [
            await _on_chain(watcher, receipt)
            for receipt in newly_final(record, view, watcher.confirmations, self._clock())
        ]
        confirmed = [receipt for receipt in final if receipt is not None]
        moved = [
            replace(known[each.tx, each.index], height=each.height, block_hash=each.block_hash)
            for each in own_deposits(record, view)
            if (each.tx, each.index) in known
            and each.height is not None
            and (each.height, each.block_hash)
            != (known[each.tx, each.index].height, known[each.tx, each.index].block_hash)
        ]
        taken_back = [
            replace(receipt, reversed_at=self._clock())
            for receipt in missing_receipts(record, view)
            if (view.tip >= receipt.height + watcher.confirmations - 1 or receipt.tx in {new.tx for new in confirmed})
            and await _replaced(watcher, receipt)
        ]
        return Findings(
            confirmed=tuple(confirmed),
            moved=tuple(moved),
            reversed=tuple(taken_back),
            scanned_height=max(record.scanned_height, min(view.scanned, view.tip - watcher.reorg_depth)),
        )

    def _snapshot(self, record: DepositRecord, view: ChainView) -> Snapshot:
        waiting = pending_deposits(record, view)
        movements = [movement for receipt in record.receipts for movement in receipt.movements()]
        movements.sort(key=lambda movement: movement.occurred_at)
        seen = sum(each.amount_minor for each in waiting)
        missing_minor = record.amount_minor - seen - sum(movement.amount_minor for movement in movements)
        if received_in_full(record):
            status = ProviderStatus.SUCCEEDED
        elif waiting or movements:
            status = ProviderStatus.PROCESSING
        elif record.cancelled_at is not None:
            status = ProviderStatus.CANCELLED
        else:
            expired = self._clock() >= record.expires_at
            status = ProviderStatus.EXPIRED if expired else ProviderStatus.REQUIRES_ACTION
        open_ = status in (ProviderStatus.REQUIRES_ACTION, ProviderStatus.PROCESSING) and missing_minor > 0
        return Snapshot(
            ref=record.payment_id,
            status=status,
            amount_minor=record.amount_minor,
            currency=record.asset,
            action=self._action(record, missing_minor) if open_ else None,
            movements=tuple(movements),
            seen_minor=seen,
            confirmations=min((each.confirmations(view.tip) for each in waiting), default=None),
        )

    def _action(self, record: DepositRecord, missing_minor: int) -> NextAction:
        return NextAction(
            deposit=Deposit(
                chain=record.chain,
                asset=record.asset,
                address=record.address,
                amount_minor=missing_minor,
                memo=record.memo,
                uri=self._chain(record.asset).account.uri(record.asset, record.place, missing_minor),
            )
        )


async def _on_chain(watcher: Watcher, receipt: Receipt) -> Receipt | None:
    """Return the receipt with the time of its block, if the chain has that block: a list may lag behind the chain."""
    if receipt.block_hash is None:
        return receipt
    header = await watcher.header(receipt.height)
    if header is None or header.hash != receipt.block_hash:
        return None
    return replace(receipt, sent_at=receipt.sent_at or header.at)


async def _replaced(watcher: Watcher, receipt: Receipt) -> bool:
    """Return whether a receipt's block is proven not to be in the chain; a lagging node is no proof."""
    if receipt.block_hash is None:
        return False
    header = await watcher.header(receipt.height)
    return header is None or header.hash != receipt.block_hash


async def _views(
    watcher: Watcher, asset: str, address: str, *, since_height: int, since_at: datetime
) -> AsyncIterator[ChainView]:
    while True:
        view = await watcher.deposits(asset, address, since_height=since_height, since_at=since_at)
        yield view
        if view.complete:
            return
        since_height = view.scanned + 1


class _Unread:
    """Addresses that could not be read while a statement was listed.

    A chain that does not return its newest block, or has several consecutive timeouts, counts as silent: it is noted
    once, and its other addresses are not read.
    """

    def __init__(self) -> None:
        self.places: list[UnreadSource] = []
        self._silent: set[str] = set()
        self._timeouts: Counter[str] = Counter()

    def is_silent(self, chain: Chain) -> bool:
        """Return whether a chain counts as silent."""
        return chain.account.chain in self._silent

    def answered(self, chain: Chain) -> None:
        """Record that an address of a chain was read."""
        self._timeouts.pop(chain.account.chain, None)

    async def add(self, chain: Chain, subject: str, error: ProviderUnavailable, *, has_gap: bool = False) -> None:
        """Record an unreadable address, or its chain if that is the reason."""
        name = chain.account.chain
        self._timeouts[name] = self._timeouts[name] + 1 if error.code == "chain.timeout" else 0
        silence: ProviderUnavailable | None = error if self._timeouts[name] >= MAX_TIMEOUTS else None
        if silence is None:
            try:
                await chain.watcher.tip()
            except ProviderUnavailable as failed:
                silence = failed
        if silence is not None:
            self._silent.add(name)
            subject, error = name, silence
        self.places.append(UnreadSource(subject=subject, why=error.detail, has_gap=has_gap))


def _unmatched_deposits(memos: Set[str | None], view: ChainView) -> list[BalanceTransaction]:
    """Return deposits to a shared address that have none of its payments' comments."""
    return [
        BalanceTransaction(
            key=movement_key(each.asset, each.tx, each.index),
            kind=BalanceTransactionKind.OTHER,
            amount_minor=each.amount_minor,
            fee_minor=0,
            currency=each.asset,
            occurred_at=each.at,
            statement_ref=each.tx,
        )
        for each in view.deposits
        if each.memo not in memos and each.at is not None and each.height is not None
    ]
