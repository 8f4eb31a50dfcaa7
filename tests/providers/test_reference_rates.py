"""The daily file of reference rates: from the sandbox, and in forms that are not to be believed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx2
import pytest

from dev.sandbox.chains.reference_rates import FILE, PER_EURO, written
from providers.payments.base import ProviderUnavailable
from providers.reference_rates import EcbFile
from tests.support.cases import for_each
from tests.support.chains import ChainsInTest, answering

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
GOOD = written(TODAY, {"USD": "1.1435", "CAD": "1.5628"})
ONE = "<Cube currency='USD' rate='1.1435'/>"


async def test_file_of_the_sandbox_is_of_today_and_has_what_it_says(chains: ChainsInTest) -> None:
    file = await EcbFile(chains.http, f"http://chains/rates/{FILE}").read(datetime.now(UTC))
    assert datetime.now(UTC).date() - file.day <= timedelta(days=1)
    assert file.per_euro == {code: Decimal(rate) for code, rate in PER_EURO.items()}
    assert file.source == "chains"


async def reading(body: str | bytes, *, status: int = 200) -> Decimal:
    client = answering(lambda _: httpx2.Response(status, content=body))
    return (await EcbFile(client, "https://ecb.example/daily.xml").read(NOW)).per_euro["USD"]


async def test_file_may_be_dated_ahead_by_a_time_zone() -> None:
    assert await reading(GOOD) == Decimal("1.1435")
    assert await reading(written(TODAY + timedelta(days=1))) == Decimal("1.1435")


@for_each(
    "body",
    [
        b"",
        b"\xff\xfe",
        GOOD.encode("utf-16"),
        "{}",
        "<html><p>Not found</p></html>",
        GOOD[:-5],
        GOOD.replace("?>", "?><!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>").replace("Reference", "&b;"),
        GOOD.replace("?>", "?><!DOCTYPE x SYSTEM 'file:///etc/passwd'>"),
        GOOD.replace("Reference", "&b;"),
        GOOD + " " * 256 * 1024,
        "<a>" * 80_000,
        "<a>" * 30_000 + "</a>" * 30_000,
        GOOD.replace("2002-08-01/eurofxref", "2003-08-01/eurofxref"),
        GOOD.replace(f" time='{TODAY}'", ""),
        GOOD.replace(str(TODAY), "2026-02-30"),
        GOOD.replace(str(TODAY), "yesterday"),
        GOOD.replace(str(TODAY), ""),
        written(TODAY + timedelta(days=2)),
        GOOD.replace("<Cube>", f"<Cube><Cube time='{TODAY - timedelta(days=1)}'>{ONE}</Cube>"),
        GOOD.replace(ONE, ONE * 2),
        GOOD.replace("USD", "usd"),
        GOOD.replace("USD", "EUR"),
        GOOD.replace(ONE, "<Cube currency='USD'/>"),
        *(GOOD.replace("1.1435", rate) for rate in ("", "-1", "0", "0.0", "1,1", "1e1", "NaN", "1" * 13, "N/A", "٣")),
    ],
)
async def test_file_of_another_form_is_not_believed(body: str | bytes) -> None:
    with pytest.raises(ProviderUnavailable) as refused:
        await reading(body)
    assert len(refused.value.detail) < 200


async def test_answer_that_is_not_the_file_is_not_read() -> None:
    for status in (302, 404, 500):
        with pytest.raises(ProviderUnavailable):
            await reading(GOOD, status=status)
