"""Deposits in PostgreSQL: which payment waits at which deposit address, and what became final there."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from domain.common.errors import IdempotencyConflict
from domain.payments.payment.snapshot import CreatePayment
from models.payments.crypto_deposit import CryptoDepositRow, CryptoReceiptRow
from providers.chains.addresses import DepositAddress
from providers.payments.base import OutcomeUnknown
from providers.payments.deposits import DepositRecord, Findings, Receipt
from repositories.payments import crypto_deposit
from runtime.database import Database


class PostgresDepositBook:
    """A `DepositBook`. Each method is one transaction of the platform; none waits for a chain."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """Give the payment the next index of the key, and store the deposit address that is derived from it.

        Effect: the row of the address, and the index is used.
        Idempotent by: the payment.
        Fails with: `IdempotencyConflict` when the payment has an address for another asset or amount; `OutcomeUnknown`
            when the database broke off, which may have been after it committed.
        """
        try:
            return await self._allocate(payment, chain, chain_key, place, scanned_height, at)
        except (OSError, DBAPIError) as error:
            raise OutcomeUnknown("The deposit address of the payment may have been stored.") from error

    async def _allocate(
        self,
        payment: CreatePayment,
        chain: str,
        chain_key: str,
        place: Callable[[int], DepositAddress],
        scanned_height: int,
        at: datetime,
    ) -> DepositRecord:
        async with self._database.platform() as session:
            await crypto_deposit.lock(session, payment.payment_id)
            row = await crypto_deposit.get(session, payment.payment_id)
            if row is None:
                index = await crypto_deposit.take_index(session, chain_key)
                where = place(index)
                row = await crypto_deposit.add(
                    session,
                    {
                        "payment_id": payment.payment_id,
                        "org_id": payment.org_id,
                        "chain": chain,
                        "asset": payment.currency,
                        "chain_key": chain_key,
                        "index": index,
                        "address": where.address,
                        "memo": where.memo,
                        "amount_minor": payment.amount_minor,
                        "scanned_height": scanned_height,
                        "created_at": at,
                        "expires_at": payment.expires_at,
                        "version": 1,
                    },
                )
            elif (row.asset, row.amount_minor) != (payment.currency, payment.amount_minor):
                raise IdempotencyConflict("This payment already has a deposit address for another amount.")
            return _record(row, await crypto_deposit.receipts_of(session, [row.payment_id]))

    async def get(self, payment_id: str) -> DepositRecord | None:
        """Return the record of a payment."""
        async with self._database.platform() as session:
            row = await crypto_deposit.get(session, payment_id)
            return None if row is None else _record(row, await crypto_deposit.receipts_of(session, [payment_id]))

    async def recent(
        self, since: datetime, until: datetime, *, after: DepositRecord | None, limit: int
    ) -> Sequence[DepositRecord]:
        """Return the records that were made in `[since, until)`, oldest first, from behind one on."""
        last = None if after is None else (after.created_at, after.payment_id)
        async with self._database.platform() as session:
            rows = await crypto_deposit.recent(session, since, until, after=last, limit=limit)
            receipts: dict[str, list[CryptoReceiptRow]] = defaultdict(list)
            for receipt in await crypto_deposit.receipts_of(session, [row.payment_id for row in rows]):
                receipts[receipt.payment_id].append(receipt)
            return [_record(row, receipts[row.payment_id]) for row in rows]

    async def received(
        self, since: datetime, until: datetime, *, after: Receipt | None, limit: int
    ) -> Sequence[Receipt]:
        """Return the receipts that became final, or were reversed, in `[since, until)`, from behind one on."""
        last = None if after is None else (after.asset, after.tx, after.index, after.generation)
        async with self._database.platform() as session:
            rows = await crypto_deposit.received(session, since, until, after=last, limit=limit)
            return [_receipt(row) for row in rows]

    async def settle(self, record: DepositRecord, findings: Findings) -> bool:
        """Keep what was found, unless the record has changed since it was read.

        Effect: receipts are added, moved to another block, or reversed.
        Idempotent by: the record's version.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            if not await crypto_deposit.advance(session, record.payment_id, record.version, findings.scanned_height):
                return False
            # What is reversed gives its place up first: the same output may stand again in another block.
            for receipt in (*findings.reversed, *findings.moved):
                values = {
                    "height": receipt.height,
                    "block_hash": receipt.block_hash,
                    "reversed_at": receipt.reversed_at,
                }
                await crypto_deposit.change_receipt(session, _key(record, receipt), values)
            rows = [
                {
                    **dict(zip(_KEY, _key(record, receipt), strict=True)),
                    "payment_id": receipt.payment_id,
                    "amount_minor": receipt.amount_minor,
                    "height": receipt.height,
                    "block_hash": receipt.block_hash,
                    "sent_at": receipt.sent_at,
                    "final_at": receipt.final_at,
                }
                for receipt in findings.confirmed
            ]
            await crypto_deposit.add_receipts(session, rows)
            return True

    async def cancel(self, payment_id: str, at: datetime) -> None:
        """Note that nobody waits for this payment any more.

        Effect: the time of the first such note.
        Idempotent by: the payment.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            await crypto_deposit.cancel(session, payment_id, at)


_KEY = ("chain", "asset", "tx", "index", "generation")


def _key(record: DepositRecord, receipt: Receipt) -> tuple[str, str, str, int, int]:
    return record.chain, receipt.asset, receipt.tx, receipt.index, receipt.generation


def _receipt(row: CryptoReceiptRow) -> Receipt:
    return Receipt(
        asset=row.asset,
        tx=row.tx,
        index=row.index,
        generation=row.generation,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        height=row.height,
        block_hash=row.block_hash,
        sent_at=row.sent_at,
        final_at=row.final_at,
        reversed_at=row.reversed_at,
    )


def _record(row: CryptoDepositRow, receipts: Sequence[CryptoReceiptRow]) -> DepositRecord:
    return DepositRecord(
        payment_id=row.payment_id,
        org_id=row.org_id,
        chain=row.chain,
        asset=row.asset,
        chain_key=row.chain_key,
        index=row.index,
        address=row.address,
        memo=row.memo,
        amount_minor=row.amount_minor,
        scanned_height=row.scanned_height,
        created_at=row.created_at,
        expires_at=row.expires_at,
        cancelled_at=row.cancelled_at,
        version=row.version,
        receipts=tuple(_receipt(receipt) for receipt in receipts),
    )
