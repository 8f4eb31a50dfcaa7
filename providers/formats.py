"""Amounts, days and numbers as languages write them, from the CLDR data that comes with Babel."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval, format_skeleton
from babel.numbers import format_percent, get_decimal_symbol, get_group_symbol, get_minus_sign_symbol

from domain.common.money import SCALES

#: BCP 47 language → the region whose habits are followed.
_LOCALES = {"en": "en_GB", "de": "de_DE", "fr": "fr_FR", "es": "es_ES"}
#: Money shows all of its decimals; coins, which have more, as many as are needed.
MOST_OF_MONEY = 3


class BabelFormats:
    """Writes for one language. Amounts are decimal strings, never floats."""

    def __init__(self, language: str) -> None:
        """Take a language of `domain.common.mail.LANGUAGES`."""
        self._locale = Locale.parse(_LOCALES[language])
        symbols = get_group_symbol(self._locale), get_decimal_symbol(self._locale), get_minus_sign_symbol(self._locale)
        self._symbols = str.maketrans(dict(zip(",.-", symbols, strict=True)))

    def money(self, amount: str, currency: str) -> str:
        """Write an amount with its currency: `1,234.50 EUR` or `1.234,50 EUR`.

        The code stands in place of a sign, because `$` is the sign of twenty currencies.
        """
        return f"{self.amount(amount, currency)} {currency}"

    def amount(self, amount: str, currency: str) -> str:
        """Write an amount without its currency."""
        scale, given = SCALES[currency], len(amount.partition(".")[2])
        return self.number(Decimal(amount), scale if scale <= MOST_OF_MONEY else max(2, given))

    def number(self, value: Decimal, decimals: int) -> str:
        """Write a number with a number of decimals, in groups of three digits.

        Does not use Babel's patterns, which are ten times slower; a document can have a thousand numbers.
        """
        return f"{value:,.{decimals}f}".translate(self._symbols)

    def percent(self, rate_e6: int) -> str:
        """Write a rate in millionths: `19%`, `8.1%`, `19 %`."""
        share = Decimal(rate_e6).scaleb(-6).normalize()
        decimals = max(0, -int(share.as_tuple().exponent) - 2)
        digits = "0." + "0" * decimals if decimals else "0"
        pattern = self._locale.percent_formats[None].pattern.replace("#,##0", digits)
        return str(format_percent(share, pattern, locale=self._locale))

    def country(self, code: str) -> str:
        """Write a country of ISO 3166-1; its code where the language has no name for it."""
        return str(self._locale.territories.get(code, code))

    def period(self, first: date, after: date) -> str:
        """Write a period by its first day and the first day after it: `1-31 Oct 2026`, with the language's own dash."""
        return str(format_interval(first, after - timedelta(days=1), "yMMMMd", locale=self._locale))

    def day(self, day: str) -> str:
        """Write a day: `30 November 2026`, `30. November 2026`."""
        return str(format_date(date.fromisoformat(day), "long", locale=self._locale))

    def moment(self, at: datetime, zone: str) -> str:
        """Write a moment in a zone, and name the zone: `30 Nov 2026, 14:05 CET`."""
        local = at.astimezone(ZoneInfo(zone))
        written = format_datetime(local, "d MMM y, HH:mm", tzinfo=local.tzinfo, locale=self._locale)
        return f"{written} {local:%Z}"

    def month(self, month: str) -> str:
        """Write a month: `November 2026`."""
        return str(format_skeleton("yMMMM", date.fromisoformat(f"{month}-01"), locale=self._locale))


@lru_cache
def formats_of(language: str) -> BabelFormats:
    """Return the formats of a language."""
    return BabelFormats(language)
