"""Filters by which templates write the API's answers, in the reader's language, locale and zone.

Each takes a value as the API answers it: a decimal string, a time in ISO 8601, an id, a word. None becomes a dash, and
values that are written already, such as `format.Amount`, are returned unchanged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from babel import Locale
from jinja2 import Environment

from console import format as written
from console.agent.prices import job_price, offer_price
from console.format import Amount, Ident, Moment
from console.mentions import Sentence, sentence
from console.payment.view import company, provider_named
from console.reader import reader
from console.status import STATUSES, Status, status_of
from console.texts import N_, _, gettext, language, ngettext
from console.who import actor_named, role_named
from domain.common.money import CREDIT, SCALES, SLOT

NOTHING = "\N{EN DASH}"


class Templates(Environment):
    """Templates in which `answer.items` is the field of an answer, and never a method of its mapping."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a field of a mapping, or an attribute of any other value; undefined where there is none."""
        if type(obj) is dict:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


def amount(value: str | Amount | None, currency: str = "", *, signed: bool = False) -> Amount | None:
    """Write a decimal string as an amount of a currency."""
    if value is None or isinstance(value, Amount):
        return value
    return written.amount(value, currency, reader().prefs, signed=signed)


def money(value: str | None, currency: str) -> str:
    """Write an amount with its unit as text, for sentences."""
    return NOTHING if value is None else written.money(value, currency, reader().prefs)


def moment(value: str | Moment | None) -> Moment | None:
    """Write a time in the reader's zone."""
    return value if value is None or isinstance(value, Moment) else written.moment(value, reader().prefs)


def ident(value: str | Ident) -> Ident:
    """Cut an id for the eye; it is copied whole."""
    return value if isinstance(value, Ident) else written.ident(value)


def status(value: str | Status, noun: str) -> Status:
    """Return how a status of a noun of `status.STATUSES` is shown."""
    return value if isinstance(value, Status) else status_of(noun, value)


def statuses(noun: str) -> tuple[tuple[str, str], ...]:
    """Return all statuses of a noun as options of a select, with "Any" first."""
    return (("", _("Any")), *((value, gettext(shown.word)) for value, shown in STATUSES[noun].items()))


def rounded(value: float | None, places: int = 2) -> str:
    """Write a score with so many decimals, so that scores below each other compare."""
    if value is None:
        return NOTHING
    return written.digits_of(Decimal(str(value)).quantize(Decimal(1).scaleb(-places)), reader().prefs, least=places)


def mentioned(
    text: str, names: Mapping[str, str], org_id: str | None = None, href: Callable[[str], str] | None = None
) -> Sentence:
    """Return a text in parts: names with links in place of its ids, and local times.

    Args:
        text: of the API, with ids.
        names: of what it mentions, by id.
        org_id: whose the objects are, for pages of all organizations.
        href: returns the address of the page of an id, where that is not the reader's.
    """
    return sentence(text, names, reader().prefs, href or (lambda id: reader().link(id, org_id)))


def past(value: str) -> bool:
    """Return whether a time has come."""
    return datetime.fromisoformat(value) <= reader().now


_PER = {
    "month": (N_("%(price)s a month"), N_("%(price)s a seat a month")),
    "year": (N_("%(price)s a year"), N_("%(price)s a seat a year")),
}
_METHODS = {
    **{"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "jcb": "JCB", "paypal": "PayPal"},
    **{"card": N_("Card"), "us_bank_account": N_("Bank account"), "sepa_debit": N_("Direct debit")},
    **{"crypto": N_("Coins"), "credits": N_("Credits")},
}


def per(price: Mapping[str, Any], interval: str, *, seat: bool = False) -> str:
    """Write the price of an interval, `month` or `year`; of each seat where `seat` is set."""
    return _(_PER[interval][seat], price=money(price["amount"], price["currency"]))


def method_name(kind: str) -> str:
    """Write a way to pay: a brand of cards, a type of stored methods, or a provider."""
    return gettext(_METHODS.get(kind) or written.titled(kind))


def payment_method(method: Mapping[str, Any]) -> str:
    """Write a stored payment method, such as `Visa ending in 4242`."""
    name = method_name(method["brand"] or method["type"])
    return _("%(brand)s ending in %(digits)s", brand=name, digits=method["last4"]) if method["last4"] else name


#: Codes of CLDR with two letters that are no country.
_NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


def country_name(code: str | None) -> str:
    """Write a country by its name; an unknown code is written unchanged."""
    return str(Locale.parse(reader().prefs.locale).territories.get(code or "", code or ""))


def countries() -> tuple[tuple[str, str], ...]:
    """Return all countries as options of a select: ISO 3166-1 and name, by name."""
    known = Locale.parse(reader().prefs.locale).territories
    found = [(code, name) for code, name in known.items() if len(code) == 2 and code not in _NO_COUNTRIES]
    return tuple(sorted(found, key=lambda pair: pair[1].casefold()))


def is_some(value: str | None) -> bool:
    """Return whether a decimal string is there and is not zero."""
    return value is not None and bool(written.decimal(value))


def total(rows: Iterable[Mapping[str, Any]], field: str) -> str:
    """Add up a field of rows, exactly; decimal strings, those that are None are left out."""
    return f"{sum((written.decimal(each[field]) for each in rows if each[field] is not None), Decimal(0)):f}"


def share(part: str, whole: str) -> str:
    """Return the length of a bar in percent of a whole, for drawing alone; nothing below zero."""
    total = written.decimal(whole)
    length = max(written.decimal(part), Decimal(0)) * 100 / total if total > 0 else Decimal(0)
    return f"{min(length, Decimal(100)).quantize(Decimal('0.01')):f}"


def link(id: str | None, org_id: str | None = None) -> str:
    """Return the address of the page of an id; empty if it has none."""
    return reader().link(id, org_id) if id else ""


def _of_prefs(write: Callable[..., str]) -> Callable[..., str]:
    def filtered(value: Any, *more: Any, **named: Any) -> str:
        return NOTHING if value is None else write(value, *more, reader().prefs, **named)

    return filtered


def relative(value: str) -> str:
    """Write how far a time is from now, such as `in 3 hours`."""
    return written.relative(value, reader().now, reader().prefs)


def items(value: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """Return the pairs of a mapping."""
    return tuple(value.items())


_PLAIN = (
    *(money, moment, relative, ident, status, mentioned, past, is_some, per, country_name, payment_method, total),
    *(company, share, link, rounded, job_price, offer_price, written.titled, written.currency_name),
)
_BY_PREFS = (written.about, written.number, written.period, written.service_period, written.duration)
count, day, month, percent = (
    _of_prefs(write) for write in (written.count, written.day, written.month, written.percent)
)
FILTERS: Mapping[str, Callable[..., Any]] = {
    **{each.__name__: each for each in _PLAIN},
    **{each.__name__: _of_prefs(each) for each in _BY_PREFS},
    **{"count": count, "day": day, "month": month, "percent": percent},
    **{"actor": actor_named, "role": role_named, "provider": provider_named, "pairs": items, "listed": written.joined},
}


def may(permission: str) -> bool:
    """Return whether the reader's role has a permission, such as `manage_billing`."""
    return reader().may(permission)


def currencies(*, credits: bool = False) -> tuple[tuple[str, str], ...]:
    """Return all currencies as options of a select: credits if they are one, the usual ones, then by code."""
    codes = dict.fromkeys(("USD", "EUR", *sorted(SCALES.keys() - {CREDIT, SLOT})))
    return tuple((code, written.currency_name(code)) for code in ((CREDIT, *codes) if credits else codes))


def install(environment: Environment) -> None:
    """Give an environment the filters, `may`, `currencies` and translations."""
    environment.filters.update(FILTERS)
    environment.globals |= {"may": may, "language": language, "currencies": currencies}
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
