"""A provider that lists what a test says, and books that hold what a test booked."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import insert

from activities.books.reconciliation import ReconciliationActivities
from contracts.books import reconciliation as messages
from domain.books.reconciliation import Correction, Window, postings
from domain.common import accounts
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from ledger.gateway import Ledger, Posting
from models.payments.payment import PaymentBalanceTransaction
from providers.payments.base import PaymentProvider, ProviderRefused, StatementIncomplete, UnreadSource
from providers.payments.registry import Providers
from runtime.database import Database, driver_connection
from runtime.identity import new_id

DAY = Window(datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))
NOON = DAY.since + timedelta(hours=12)
#: When the night's run looks at the day.
NIGHT = DAY.until + timedelta(hours=5)


def movement(key: str, amount: int = 1_000, fee: int | None = 59, **changes: Any) -> BalanceTransaction:
    values: dict[str, Any] = {"kind": BalanceTransactionKind.CHARGE, "currency": "USD", "occurred_at": NOON}
    return BalanceTransaction(key=key, amount_minor=amount, fee_minor=fee, **{**values, **changes})


@dataclass
class FakeProvider:
    """Lists movements; keys and names are made for each test, because tests share a database."""

    name: str = field(default_factory=lambda: "p" + new_id("x")[-20:])
    listed: list[BalanceTransaction] = field(default_factory=list)
    refuses: str | None = None
    unread: list[UnreadSource] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        self.asked.append((since, until))
        if self.refuses:
            raise ProviderRefused(self.refuses)
        for item in self.listed:
            if since <= item.occurred_at < until:
                yield item
        if self.unread:
            raise StatementIncomplete(self.unread)

    def registry(self) -> Providers:
        # It is asked for its statement only.
        return Providers({self.name: cast(PaymentProvider, self)})


async def book(
    database: Database, provider: str, movements: Iterable[BalanceTransaction], payment_id: str | None = None
) -> None:
    """Book movements as a payment does: the money and the row in one transaction."""
    for item in movements:
        async with database.platform() as session:
            proceeds = accounts.platform("revenue/credits", item.currency)
            corrections = accounts.platform("corrections", item.currency)
            moved = [
                Posting(
                    proceeds if source == corrections else source,
                    proceeds if destination == corrections else destination,
                    amount,
                )
                for source, destination, amount in postings(
                    provider, Correction(item.currency, item.amount_minor, item.fee_minor or 0)
                )
            ]
            posted = await Ledger(await driver_connection(session)).post_compound(
                key=f"test:{provider}:{item.key}",
                kind="test.movement",
                postings=moved,
                effective_at=item.occurred_at,
            )
            await session.execute(
                insert(PaymentBalanceTransaction).values(
                    provider=provider,
                    key=item.key,
                    kind=item.kind.value,
                    amount_minor=item.amount_minor,
                    fee_minor=item.fee_minor,
                    currency=item.currency,
                    payment_id=payment_id,
                    transfer_id=posted.transfer_id,
                    occurred_at=item.occurred_at,
                )
            )


async def reconcile(database: Database, provider: FakeProvider) -> str:
    """Compare the day as one run does; returns its id."""
    run_id = new_id("rcn")
    work = ReconciliationActivities(database, provider.registry(), None)
    start = messages.ReconciliationInput(
        run_id=run_id,
        provider=provider.name,
        since=DAY.since,
        until=DAY.until,
        requested_by="test",
        command_id=run_id,
    )
    await work.begin(messages.BeginReconciliation(start=start, at=NIGHT))
    step = messages.ReconciliationStep(run_id=run_id, at=NIGHT)
    await work.fetch_statement(step)
    await work.conclude(step)
    return run_id
