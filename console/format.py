"""How amounts, moments and numbers are written for a reader; the only place where a decimal string becomes text.

An amount is never a float and never rounded: it has all decimals that are booked, and at least those of its currency.
Functions take the reader's `Prefs`, and none reads a clock. Words are in the language of the page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    format_time,
    format_timedelta,
    get_datetime_format,
)
from babel.lists import format_list
from babel.numbers import get_currency_name, get_decimal_symbol, get_group_symbol
from babel.units import format_unit

from console.reader import DEFAULT as DEFAULT, Prefs as Prefs
from console.texts import N_, _, gettext, language, ngettext
from domain.common.money import CREDIT, SCALES, SLOT

_Width = Literal["full", "long", "medium", "short"]
MINUS = "\N{MINUS SIGN}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_PLAIN = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,40})?")
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})(?:\.\d+)?S)?)?"
)
#: The most decimals that a currency of banks has; what settles in finer units shows two and what is booked beyond.
_BANKED = 3
#: Up to where each unit says how far a moment is: 36 hours are not two days.
_NEAR: tuple[tuple[Literal["second", "minute", "hour", "day", "month", "year"], timedelta], ...] = (
    ("second", timedelta(minutes=1)),
    ("minute", timedelta(hours=2)),
    ("hour", timedelta(hours=48)),
    ("day", timedelta(days=60)),
    ("month", timedelta(days=730)),
    ("year", timedelta.max),
)
#: Coins that CLDR has no name of.
_COINS = {"BTC": "Bitcoin", "ETH": "Ether", "TON": "Toncoin", "USDC": "USD Coin"}
#: An id of up to this length is shown whole.
_WHOLE = 14


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as it is written: the number with its sign, and its unit, which stands dim beside it."""

    number: str
    unit: str
    zero: bool = False

    @property
    def text(self) -> str:
        """The amount in one piece, joined so that no line breaks within."""
        return f"{self.number}\N{NO-BREAK SPACE}{self.unit}"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as it is written in the reader's zone: `iso` for machines, `text`, and `exact` with seconds and zone."""

    iso: str
    text: str
    exact: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Ident:
    """An id: `whole` is what is copied, `short` what is read."""

    whole: str
    short: str

    def __str__(self) -> str:
        return self.whole


def amount(value: str, currency: str, prefs: Prefs = DEFAULT, *, signed: bool = False) -> Amount:
    """Write an amount with every decimal that it has, and at least those of its currency.

    Args:
        value: a decimal string of the API.
        currency: the code of its asset; an unknown one is written unchanged.
        prefs: gives the marks between the digits.
        signed: also write a plus, for movements.

    Raises:
        ValueError: not a plain decimal string.
    """
    exact = decimal(value)
    scale = SCALES.get(currency)
    least = 0 if scale is None else scale if scale <= _BANKED else 2
    digits = digits_of(exact.copy_abs(), prefs, least=least)
    sign = MINUS if exact < 0 else "+" if signed and exact > 0 else ""
    return Amount(sign + digits, unit(currency, exact), zero=not exact)


def money(value: str, currency: str, prefs: Prefs = DEFAULT) -> str:
    """Write an amount and its unit in one piece, such as `1,047.50 USD`, for sentences; see `amount`."""
    return amount(value, currency, prefs).text


def currency_name(code: str) -> str:
    """Write the name of a currency with its code; credits are called that, and an unknown code is written unchanged."""
    if code == CREDIT:
        return _("Credits")
    name = _COINS.get(code) or get_currency_name(code, locale=language())
    return name if name == code else f"{name} ({code})"


def unit(currency: str, value: Decimal) -> str:
    """Return what stands beside a number: the code, or a word for what the platform issues itself."""
    if currency == CREDIT:
        return _("credits")
    if currency == SLOT:
        return ngettext("slot", "slots", 1 if abs(value) == 1 else 2)
    return currency


def decimal(value: str) -> Decimal:
    """Return a decimal string of the API as it is, exactly; `ValueError` when it is anything else."""
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is not a plain decimal number.")
    return Decimal(value)


def digits_of(value: Decimal, prefs: Prefs = DEFAULT, *, least: int = 0) -> str:
    """Write a number that is not negative: groups and mark of the locale, all decimals, at least so many.

    Zeros behind the last decimal that counts are cut, because they say nothing.
    """
    whole, _, rest = f"{value:f}".partition(".")
    rest = rest.rstrip("0").ljust(least, "0")
    mark, group, first, next_ = _marks(prefs.locale)
    parts = [whole[-first:]]
    left = whole[:-first]
    while left:
        parts.append(left[-next_:])
        left = left[:-next_]
    text = group.join(reversed(parts))
    return f"{text}{mark}{rest}" if rest else text


def marks_of(prefs: Prefs) -> tuple[str, str]:
    """Return what stands before the decimals of a number, and between its thousands."""
    mark, group, _, _ = _marks(prefs.locale)
    return mark, group


@lru_cache(maxsize=64)
def _marks(locale: str) -> tuple[str, str, int, int]:
    first, next_ = Locale.parse(locale).decimal_formats[None].grouping
    # A locale that groups nothing says 1000; a number may be longer.
    return get_decimal_symbol(locale), get_group_symbol(locale), first, next_


def count(value: int, prefs: Prefs = DEFAULT) -> str:
    return (MINUS if value < 0 else "") + digits_of(Decimal(abs(value)), prefs)


def number(value: str, prefs: Prefs = DEFAULT) -> str:
    """Write a decimal string that has no unit, exactly."""
    exact = decimal(value)
    return (MINUS if exact < 0 else "") + digits_of(exact.copy_abs(), prefs)


def percent(ratio: str, prefs: Prefs = DEFAULT) -> str:
    exact = decimal(ratio)
    sign, digits, exponent = exact.as_tuple()
    assert isinstance(exponent, int)
    shifted = Decimal((0, digits, exponent + 2))
    number = f"{MINUS if sign and exact else ''}{digits_of(shifted, prefs)}"
    return re.sub(r"[#0,.]+", number, str(Locale.parse(prefs.locale).percent_formats[None].pattern))


def saving(price: Decimal, usual: Decimal, prefs: Prefs = DEFAULT) -> str:
    """Write how much less a price is than the usual one, in whole percent rounded down; empty below one."""
    part = ((usual - price) / usual).quantize(Decimal("0.01"), ROUND_DOWN) if usual > 0 else Decimal(0)
    return percent(f"{part:f}", prefs) if part > 0 else ""


def moment(iso: str | datetime, prefs: Prefs = DEFAULT) -> Moment:
    """Write a moment of the API, `2026-11-22T09:30:00Z`, in the reader's zone."""
    # By its text: of two moments in the hour that a zone's clock goes back, `datetime` says that they are equal.
    return _moment(iso if isinstance(iso, str) else iso.isoformat(), prefs)


@lru_cache(maxsize=4096)
def _moment(iso: str, prefs: Prefs) -> Moment:
    local = local_time(iso, prefs)
    text = _written(local, "medium", "short", prefs)
    exact = _written(local, "full", "long", prefs)
    return Moment(local.isoformat(timespec="seconds"), text, exact)


def _written(local: datetime, of_day: _Width, of_time: _Width, prefs: Prefs) -> str:
    both = str(get_datetime_format(of_day, locale=prefs.locale)).replace("'", "")
    time = format_time(local, of_time, tzinfo=local.tzinfo, locale=prefs.locale)
    return both.replace("{1}", format_date(local, of_day, locale=prefs.locale)).replace("{0}", time)


def local_time(iso: str | datetime, prefs: Prefs = DEFAULT) -> datetime:
    """Return a moment in the reader's zone; `ValueError` where it names none of its own."""
    at = datetime.fromisoformat(iso) if isinstance(iso, str) else iso
    if at.tzinfo is None:
        raise ValueError(f"{iso} names no zone.")
    return at.astimezone(ZoneInfo(prefs.zone))


def day(value: str | date, prefs: Prefs = DEFAULT) -> str:
    """Write a day, such as `22 Nov 2026`: of a date, or of a moment in the reader's zone."""
    return format_date(_day(value, prefs), format="medium", locale=prefs.locale)


def month(value: str | date, prefs: Prefs = DEFAULT) -> str:
    """Write a month, such as `November 2026`: of a date, or of a moment in the reader's zone."""
    return format_skeleton("yMMMM", _day(value, prefs), locale=prefs.locale)


def short_day(value: str | date, prefs: Prefs = DEFAULT) -> str:
    return format_skeleton("MMMd", _day(value, prefs), locale=prefs.locale)


def period(start: str | date, end: str | date, prefs: Prefs = DEFAULT) -> str:
    first, last = _day(start, prefs), _day(end, prefs)
    if first == last:
        return day(first, prefs)
    return str(format_interval(first, last, skeleton="yMMMd", locale=prefs.locale))


def service_period(start: str, after: str, prefs: Prefs = DEFAULT) -> str:
    """Write a period of service as documents do: from its first day to the last one, which is before `after`."""
    first, last = local_time(start, prefs).date(), (local_time(after, prefs) - timedelta(microseconds=1)).date()
    return period(first, max(first, last), prefs)


def _day(value: str | date, prefs: Prefs) -> date:
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value):
        return local_time(value, prefs).date()
    return date.fromisoformat(value) if isinstance(value, str) else value


def relative(iso: str | datetime, now: datetime, prefs: Prefs = DEFAULT) -> str:
    """Write how far a moment is from now, such as `in 3 hours` or `2 days ago`."""
    apart = local_time(iso, prefs) - now
    if abs(apart) < timedelta(seconds=5):
        return _("now")
    unit_of = next(name for name, below in _NEAR if abs(apart) < below)
    # No number reaches the threshold, so that Babel stays with the unit.
    return format_timedelta(apart, granularity=unit_of, threshold=10**9, add_direction=True, locale=prefs.locale)


def seconds_until(iso: str | datetime, now: datetime) -> int:
    """Return how many seconds are left until a moment, for what ticks; less than nothing when it is past."""
    return int((local_time(iso) - now).total_seconds())


def duration(iso: str, prefs: Prefs = DEFAULT) -> str:
    """Write a length of time of the API, `P7D` or `PT36H`, in its own units; `ValueError` when it is anything else."""
    found = _DURATION.fullmatch(iso)
    parts = {name: int(text) for name, text in found.groupdict().items() if text} if found else {}
    if not parts:
        raise ValueError(f"{iso[:40]!r} is not a length of time.")
    texts = [_units(number_of, name, prefs) for name, number_of in parts.items() if number_of]
    return " ".join(texts) or _units(0, "seconds", prefs)


def about(seconds: int, prefs: Prefs = DEFAULT) -> str:
    """Write a length of time in its largest unit, rounded, such as `5 hours`."""
    return format_timedelta(timedelta(seconds=seconds), locale=prefs.locale)


def _units(number_of: int, name: str, prefs: Prefs) -> str:
    # Japanese writes both alike, and CLDR has the short form alone.
    length: Literal["long", "short"] = "short" if prefs.locale == "ja" else "long"
    return format_unit(number_of, f"duration-{name.removesuffix('s')}", length=length, locale=prefs.locale)


def ident(value: str) -> Ident:
    """Return an id as it is shown: cut, and copied whole."""
    return Ident(value, short_id(value))


#: Accounts of one object, which is named behind them.
_ACCOUNTS = {"payments": N_("Payment %(name)s"), "payouts": N_("Payout %(name)s")}


def account(path: str, names: Mapping[str, str]) -> Ident:
    """Return an account as it is shown: `Credits`, `Earnings of Summariser`, `Payment pay_0192…8c1d`.

    Args:
        path: in the chart of accounts.
        names: of what it may be of, by id.
    """

    def called(id: str) -> str:
        return names.get(id, short_id(id))

    match path.split("/"):
        case ["org", _, kind, id] if kind in _ACCOUNTS:
            return Ident(path, gettext(_ACCOUNTS[kind]) % {"name": called(id)})
        case ["org", _, kind, *_]:
            return Ident(path, titled(kind))
        case ["agent", id, kind, *_]:
            return Ident(path, _("%(account)s of %(name)s", account=titled(kind), name=called(id)))
        case ["escrow", id]:
            return Ident(path, _("Escrow: %(name)s", name=called(id)))
        case _:
            return Ident(path, ": ".join(titled(part) for part in path.split("/")))


def short_id(value: str) -> str:
    """Cut a long id in its middle, `esc_0192f3…8c1d`: its kind and both ends stay."""
    if len(value) <= _WHOLE:
        return value
    kind, mark, rest = value.partition("_")
    head = f"{kind}{mark}{rest[:4]}" if mark and len(kind) <= 6 else value[:8]
    return f"{head}{ELLIPSIS}{value[-4:]}"


def joined(words: Sequence[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    # British English has no comma before "and".
    return format_list(list(words), locale="en_GB" if language() == "en" else language())


#: Words of the API: accounts, windows, schedules and the nouns of statuses, which `titled` writes, and roles.
TITLES = (
    """
Credits, Cash, Slots, Slots in use, Debt, Receivable, Earnings, Granted earnings, Sales, Own work, Platform,
Provider, Clearing, Credit issuance, Credit redemption, Slot issuance, Commission, Deferred revenue, Deferred
subscriptions, Payable, Promotions, Breakage, Exchange, Corrections, Bad debt, Rounding, Card purchases, Revenue,
Tax, Fees, Hour, Day, Week, Month, Quarter, Lifetime, Daily, Weekly, Monthly, Quarterly, Allocation, Agent, Alert,
Approval, Attempt, Card, Card payment, Chargeback, Channel, Contract, Control, Department, Delivery, Endpoint,
Escrow, Event, Evidence, Export, Fulfilment, Invoice, Key, Match, Milestone, Order, Organization, Payment, Payout,
Price rule, Principal, Project, Purchase, Refund, Review, Risk case, Risk label, Risk mode, Risk outcome, Risk result,
Secret access, Secret grant, Secret rotation, Secret version,
Severity, Spend, Subscription, Trial, Log entry, Usage, Activity, Billing run, Discrepancy, Reconciliation, Webhook,
owner, admin, finance, member, auditor, agent, operator, arbiter, validator, accountant, platform auditor
""".strip()
    .replace("\n", " ")
    .split(", ")
)


def titled(name: str) -> str:
    """Write a name that the API or the settings use, such as `free` or `product_not_received`, as a title."""
    return gettext(name.replace("_", " ").replace("-", " ").capitalize())
