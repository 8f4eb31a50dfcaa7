"""A central bank's daily file, in the form of the European Central Bank's and always of today."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import Response

FILE = "eurofxref-daily.xml"
#: What one euro is worth: made up, near to what it was in 2026.
PER_EURO = {
    **{"USD": "1.1435", "JPY": "185.72", "CZK": "24.254", "DKK": "7.4607", "GBP": "0.85363"},
    **{"HUF": "398.15", "PLN": "4.2613", "RON": "5.0541", "SEK": "11.1240", "CHF": "0.9227", "ISK": "141.90"},
    **{"NOK": "11.6830", "TRY": "46.7211", "AUD": "1.7512", "BRL": "6.3870", "CAD": "1.5628", "CNY": "8.2105"},
    **{"HKD": "8.9760", "IDR": "18602.35", "ILS": "3.8944", "INR": "98.2140", "KRW": "1568.44", "MXN": "21.4507"},
    **{"MYR": "4.8535", "NZD": "1.9103", "PHP": "64.920", "SGD": "1.4681", "THB": "37.412", "ZAR": "20.1146"},
}


def written(day: date, per_euro: Mapping[str, str] = PER_EURO) -> str:
    """Write the file of a day."""
    rates = "\n".join(f"\t\t\t<Cube currency='{code}' rate='{rate}'/>" for code, rate in per_euro.items())
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" \
xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
\t<gesmes:subject>Reference rates</gesmes:subject>
\t<gesmes:Sender>
\t\t<gesmes:name>European Central Bank</gesmes:name>
\t</gesmes:Sender>
\t<Cube>
\t\t<Cube time='{day}'>
{rates}
\t\t</Cube>
\t</Cube>
</gesmes:Envelope>
"""


async def answer(_request: Request) -> Response:
    """Answer `GET /eurofxref-daily.xml`."""
    return Response(written(datetime.now(UTC).date()), media_type="text/xml")
