"""Exchange rates of currencies from a central bank's daily file."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import httpx2

from domain.credits.spend.rate import EURO, ReferenceRates
from providers.chains.responses import Node, text
from providers.payments.base import ProviderUnavailable
from providers.rates import GREATEST_PRICE, LEAST_PRICE

_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
_MAX_BYTES = 256 * 1024


class EcbFile:
    """The euro's reference rates, in the form of the European Central Bank's `eurofxref-daily.xml`.

    One element `<Cube time="2026-07-09">` holds `<Cube currency="USD" rate="1.1435"/>` for each currency: what one euro
    is worth in it. The file is of the last working day. It is believed as a whole or not at all.
    """

    def __init__(self, client: httpx2.AsyncClient, url: str, *, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Take the client, which the caller closes, and the file's address."""
        self._node = Node(client, url, timeout=timeout, max_bytes=_MAX_BYTES)
        self._source = httpx2.URL(url).host

    async def read(self, now: datetime) -> ReferenceRates:
        """Return the file's rates.

        Raises:
            ProviderUnavailable: the file cannot be had, or is not of this form, or of a day that has not begun.
        """
        days = [cube for cube in _tree(await self._node.get_bytes()).iter(_CUBE) if "time" in cube.attrib]
        if len(days) != 1:
            raise _bad("it does not have exactly one date")
        day = _day(days[0].get("time"))
        # The date can be ahead of UTC by a time zone.
        if day > now.date() + timedelta(days=1):
            raise _bad("its date is in the future")
        per_euro = {}
        for cube in days[0]:
            code, rate = text(cube.get("currency"), "[A-Z]{3}"), text(cube.get("rate"), r"[0-9]{1,12}(\.[0-9]{1,12})?")
            if code in per_euro or code == EURO:
                raise _bad(f"it has more than one rate of {code}")
            per_euro[code] = Decimal(rate)
            if not LEAST_PRICE <= per_euro[code] <= GREATEST_PRICE:
                raise _bad(f"its rate of {code} is out of range")
        return ReferenceRates(day=day, per_euro=per_euro, source=self._source)


def _tree(body: bytes) -> ElementTree.Element:
    """Parse XML without a DTD: only there could entities be declared, which grow without limit."""
    try:
        content = body.decode()
        if "<!DOCTYPE" in content:
            raise _bad("it has a document type")
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError):
        raise _bad("it is not XML in UTF-8") from None


def _day(written: str | None) -> date:
    try:
        return date.fromisoformat(text(written, "[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    except ValueError:
        raise _bad("its date does not exist") from None


def _bad(what: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"The file of reference rates is invalid: {what}.", code="rates.bad_file")
