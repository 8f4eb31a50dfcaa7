"""Stores the exchange rates of a central bank's daily file."""

from datetime import UTC, datetime, timedelta

from temporalio import activity

from contracts.books.reference_rates import NotedReferenceRates, NoteReferenceRates
from domain.common.credits import CreditPrice
from domain.credits.spend.rate import cross_rates
from providers.payments.base import ProviderUnavailable
from providers.reference_rates import EcbFile
from repositories.messages import alert
from runtime.database import Database
from services.books import exchange_rate

UNREAD_ALERT = "reference_rates.unread"
#: How long a run tries to read the file before operators are alerted.
TRIES = timedelta(minutes=30)


class ReferenceRateActivities:
    """The activity of `ReferenceRatesWorkflow`. No transaction is open while the file is read."""

    def __init__(self, database: Database, file: EcbFile | None, price: CreditPrice, *, max_age: timedelta) -> None:
        """Take the database, the file, None if there is none, the price of a credit, and how old a file may be."""
        self._database, self._file, self._price, self._max_age = database, file, price, max_age

    @activity.defn
    async def note_reference_rates(self, message: NoteReferenceRates) -> NotedReferenceRates:
        """Read the file, and store its rates.

        Effect: a rate, and the worth of a credit, for each currency of the file that the books know, if it has changed;
            none from a file that is too old. An alert a day, if the file cannot be read for half an hour.
        Idempotent by: the pair and the time at which its rate begins, which is the run's.
        Fails with: `request.invalid`, the file has no rate of the currency that credits are sold for.
        """
        if self._file is None:
            return NotedReferenceRates(day=None, count=0)
        try:
            file = await self._file.read(message.now)
        except ProviderUnavailable as error:
            await self._alert(error)
            raise
        rates = cross_rates(file, price=self._price, now=message.now, max_age=self._max_age)
        async with self._database.platform() as session:
            await exchange_rate.store_read_rates(session, rates, self._price)
        return NotedReferenceRates(day=file.day, count=len(rates))

    async def _alert(self, error: ProviderUnavailable) -> None:
        now = datetime.now(UTC)
        if now - activity.info().scheduled_time < TRIES:
            return
        async with self._database.platform() as session:
            await alert.raise_alert(
                session,
                kind=UNREAD_ALERT,
                subject="reference-rates",
                detail=f"The file of exchange rates cannot be read: {error.detail} The last rates hold for "
                f"{self._max_age.days} days after their day, and then none.",
                key=f"{UNREAD_ALERT}:{now.date().isoformat()}",
            )
