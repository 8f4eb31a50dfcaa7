"""`manage verify`, which is `python -m ledger verify` as well: proves the books of a live database."""

import argparse
import asyncio
import sys

import asyncpg

from commands.base import connected
from ledger.verify import SLICE, VerificationReport, verify as verify_with
from repositories.billing import billing_run, invoice_proof, project, subscription_bill, tax_receipt
from repositories.books import accounting, clearing, debt, revenue
from repositories.cards import card_authorization, card_transaction
from repositories.credits import credit_day, credit_lot, lot, spend, spend_day, spend_id_range
from repositories.escrow import escrow
from repositories.insight import book_measures, engagement, event_measures
from repositories.marketplace import marketplace_invariants, referral
from repositories.payouts import payout, recovery, statement, summary, transfer_reversal
from repositories.returns import allocation, revenue_event, route, trial
from repositories.secrets import grant, secret, secret_use
from repositories.usage import meter, usage, usage_bill, usage_charge
from runtime.settings import read_settings

#: In the order of the report.
INVARIANTS = (
    *debt.INVARIANTS,
    *summary.INVARIANTS,
    *escrow.INVARIANTS,
    *credit_lot.INVARIANTS,
    *credit_day.INVARIANTS,
    *lot.INVARIANTS,
    *revenue.INVARIANTS,
    *clearing.INVARIANTS,
    *accounting.INVARIANTS,
    *book_measures.INVARIANTS,
    *event_measures.INVARIANTS,
    *engagement.INVARIANTS,
    *payout.INVARIANTS,
    *transfer_reversal.INVARIANTS,
    *recovery.INVARIANTS,
    *referral.INVARIANTS,
    *project.INVARIANTS,
    *invoice_proof.INVARIANTS,
    *tax_receipt.INVARIANTS,
    *statement.INVARIANTS,
    *subscription_bill.INVARIANTS,
    *spend.INVARIANTS,
    *spend_day.INVARIANTS,
    *spend_id_range.INVARIANTS,
    *usage.INVARIANTS,
    *meter.INVARIANTS,
    *usage_charge.INVARIANTS,
    *usage_bill.INVARIANTS,
    *billing_run.INVARIANTS,
    *marketplace_invariants.INVARIANTS,
    *revenue_event.INVARIANTS,
    *allocation.INVARIANTS,
    *trial.INVARIANTS,
    *route.INVARIANTS,
    *secret.INVARIANTS,
    *secret_use.INVARIANTS,
    *grant.INVARIANTS,
    *card_authorization.INVARIANTS,
    *card_transaction.INVARIANTS,
)


async def verify(connection: asyncpg.Connection, *, slice_size: int = SLICE) -> VerificationReport:
    """Check every rule of the books and of each noun; see `ledger.verify`."""
    return await verify_with(connection, INVARIANTS, slice_size=slice_size)


def run(given: argparse.Namespace) -> int:
    """Print what was checked; the status is 1 when the books are damaged."""
    report = asyncio.run(connected(given.database_url or read_settings().platform_database_url, verify))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1
