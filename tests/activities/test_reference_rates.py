"""A file of exchange rates that cannot be read raises an alert while the last rates are still used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx2
import pytest
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.books.reference_rates import UNREAD_ALERT, ReferenceRateActivities
from contracts.books.reference_rates import NoteReferenceRates
from domain.common.credits import CreditPrice
from models.messages.alert import Alert
from providers.payments.base import ProviderUnavailable
from providers.reference_rates import EcbFile
from runtime.database import Database
from tests.support.chains import answering

pytestmark = pytest.mark.db


async def failed(database: Database, answer: httpx2.Response, minutes: int) -> list[str]:
    """Read a file that cannot be read, some time after the first try, and return the details of the alerts."""
    file = EcbFile(answering(lambda _: answer), "https://ecb.example/daily.xml")
    price = CreditPrice(price=Decimal("0.10"), currency="USD")
    work = ReferenceRateActivities(database, file, price, max_age=timedelta(days=7))
    now, env = datetime.now(UTC), ActivityEnvironment()
    env.info = replace(env.info, scheduled_time=now - timedelta(minutes=minutes))
    with pytest.raises(ProviderUnavailable):
        await env.run(work.note_reference_rates, NoteReferenceRates(now=now))
    async with database.platform() as session:
        return list(await session.scalars(select(Alert.detail).where(Alert.kind == UNREAD_ALERT)))


@pytest.mark.parametrize("answer", [httpx2.Response(404), httpx2.Response(200, text="<html>moved</html>")])
async def test_a_file_that_cannot_be_read_for_half_an_hour_alerts_once_a_day(
    fresh_database: Database, answer: httpx2.Response
) -> None:
    assert await failed(fresh_database, answer, 5) == []
    for minutes in (35, 45):
        [detail] = await failed(fresh_database, answer, minutes)
    assert "https://ecb.example" not in detail
