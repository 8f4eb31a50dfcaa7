"""Amounts are shown as they are booked, to the last decimal; moments in the reader's zone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from babel import Locale
from hypothesis import given, strategies as st

from console import format as f
from console.choices import LOCALES, locale_accepted, zone_named
from domain.common.locale import Locale as Offered
from domain.common.money import SCALES, format_amount
from tests.support.cases import for_each

MINUS = "\N{MINUS SIGN}"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BERLIN = f.Prefs(locale="de", zone="Europe/Berlin")
minors = st.integers(-(2**63), 2**63 - 1)
assets = st.sampled_from(sorted(SCALES))
locales = st.sampled_from(sorted(LOCALES))


def read(number: str, locale: str) -> Decimal:
    """Read a number back, by the marks of its locale and nothing of ours."""
    symbols = Locale.parse(locale).number_symbols["latn"]
    plain = number.replace(symbols["group"], "").replace(symbols["decimal"], ".").replace(MINUS, "-")
    return Decimal(plain)


@given(minors, assets, locales)
def test_an_amount_is_read_back_exactly(minor, asset, locale):
    written = f.amount(format_amount(minor, asset), asset, f.Prefs(locale=locale))

    assert read(written.number, locale) == Decimal(minor).scaleb(-SCALES[asset])


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=30), locales)
def test_a_long_number_loses_no_digit(value, locale):
    assert read(f.digits_of(value, f.Prefs(locale=locale)), locale) == value


@given(minors, assets)
def test_an_amount_has_the_decimals_of_its_currency_and_no_zeros_beyond(minor, asset):
    _, _, decimals = f.amount(format_amount(minor, asset), asset).number.partition(".")
    least = SCALES[asset] if SCALES[asset] <= 3 else 2

    assert least <= len(decimals) <= SCALES[asset]
    assert len(decimals) == least or not decimals.endswith("0")


@given(minors, assets)
def test_only_what_is_below_zero_has_a_minus(minor, asset):
    written = f.amount(format_amount(minor, asset), asset)

    assert written.number.startswith(MINUS) == (minor < 0)
    assert "-" not in written.number
    assert written.zero == (minor == 0)


@for_each(
    "value, currency, text",
    [
        ("1000", "JPY", "1,000 JPY"),
        ("47.500000", "CREDIT", "47.50 credits"),
        ("0.00512000", "BTC", "0.00512 BTC"),
        ("-1234567.5", "USD", f"{MINUS}1,234,567.50 USD"),
        ("1.5", "KWD", "1.500 KWD"),
        ("-0.00", "EUR", "0.00 EUR"),
        ("1", "SLOT", "1 slot"),
        ("3", "SLOT", "3 slots"),
        ("2.5", "XAU", "2.5 XAU"),
        ("100000000000000000000.000000001", "ETH", "100,000,000,000,000,000,000.000000001 ETH"),
    ],
)
def test_an_amount_is_written_as_it_is_booked(value, currency, text):
    assert f.money(value, currency).replace("\N{NO-BREAK SPACE}", " ") == text


@for_each("value", ["", "1e3", "1,5", "NaN", "Infinity", " 1", "+1", "1_000", "0x1", "٣", "1.", ".5"])
def test_what_is_no_plain_number_is_refused(value):
    with pytest.raises(ValueError, match="plain decimal"):
        f.amount(value, "USD")


def test_a_movement_in_has_a_plus():
    assert f.amount("5", "USD", signed=True).number == "+5.00"
    assert f.amount("-5", "USD", signed=True).number == f"{MINUS}5.00"
    assert f.amount("0", "USD", signed=True).number == "0.00"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10, max_value=10, places=9))
def test_a_percentage_is_exact(ratio):
    assert read(f.percent(f"{ratio:f}").removesuffix("%"), "en") == ratio * 100


def test_a_moment_is_told_in_the_zone_of_the_reader():
    moment = f.moment("2026-11-22T23:30:00Z", BERLIN)

    assert moment.iso == "2026-11-23T00:30:00+01:00"
    assert moment.text.startswith("23.11.2026")
    assert "MEZ" in moment.exact


@given(
    st.integers(631152000, 4102444800),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_a_moment_stays_the_same_moment(seconds, zone):
    at = datetime.fromtimestamp(seconds, UTC)

    assert datetime.fromisoformat(f.moment(at.isoformat(), f.Prefs(zone=zone)).iso) == at


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("Europe/Vienna", "Europe/Vienna"),
        ("europe/vienna", "Europe/Vienna"),
        ("Vienna", "Europe/Vienna"),
        ("new york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("UTC", "UTC"),
        ("Middle of nowhere", None),
        ("", None),
    ],
)
def test_zone_is_found_as_people_write_it(typed, zone):
    assert zone_named(typed) == zone


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="names no zone"):
        f.moment("2026-11-22T09:30:00")


def test_the_day_of_a_moment_is_the_readers():
    assert f.day("2026-11-22T23:30:00Z", BERLIN) == "23.11.2026"
    assert f.day("2026-11-22", BERLIN) == "22.11.2026"
    assert f.month("2026-11-30T23:30:00Z", BERLIN) == "Dezember 2026"


def test_a_period_names_its_first_and_last_day():
    assert f.period("2026-11-01", "2026-11-30", f.Prefs(locale="en_GB")) == "1\N{EN DASH}30 Nov 2026"
    assert f.period("2026-11-01", "2026-11-01") == "Nov 1, 2026"


@pytest.mark.parametrize(
    ("start", "after", "days"),
    [
        ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "1\N{EN DASH}30 Nov 2026"),
        ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "1 Nov 2026"),
        ("2026-11-01T09:00:00Z", "2026-11-01T10:00:00Z", "1 Nov 2026"),
    ],
)
def test_a_period_of_service_ends_on_the_day_before_the_next_one(start, after, days):
    assert f.service_period(start, after, f.Prefs(locale="en_GB")) == days


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("2026-11-22T12:30:00Z", "in 3 hours"),
        ("2026-11-20T09:30:00Z", "2 days ago"),
        ("2026-11-22T09:30:02Z", "now"),
        ("2026-11-23T21:30:00Z", "in 36 hours"),
        ("2026-12-01T09:30:00Z", "in 9 days"),
        ("2026-11-22T09:29:00Z", "1 minute ago"),
    ],
)
def test_how_far_a_moment_is(iso, text):
    assert f.relative(iso, NOW) == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("P7D", "7 days"),
        ("P1W", "1 week"),
        ("PT36H", "36 hours"),
        ("P1DT2H30M", "1 day 2 hours 30 minutes"),
        ("PT0S", "0 seconds"),
    ],
)
def test_a_length_of_time_is_written_in_its_own_units(iso, text):
    assert f.duration(iso) == text


@pytest.mark.parametrize("iso", ["", "P", "PT", "7 days", "P1.5D"])
def test_what_is_no_length_of_time_is_refused(iso):
    with pytest.raises(ValueError, match="length of time"):
        f.duration(iso)


def test_a_count_is_grouped():
    assert f.count(1234567) == "1,234,567"
    assert f.count(-12) == f"{MINUS}12"
    assert f.count(1234567, f.Prefs(locale="en_IN")) == "12,34,567"


def test_an_id_keeps_its_kind_and_both_ends():
    ident = f.ident("esc_01kar6xyzabc123defghjkmn")

    assert str(ident) == "esc_01kar6xyzabc123defghjkmn"
    assert ident.short == "esc_01ka\N{HORIZONTAL ELLIPSIS}jkmn"
    assert f.short_id("esc_1") == "esc_1"


def test_an_account_is_named_within_its_organization():
    agent, escrow, payment = (f"{kind}_01m8e4eer5fydtfnwdwwvyab52" for kind in ("agt", "esc", "pay"))
    org = f"org/org_{agent[4:]}"
    written = {
        f"{org}/credits": "Credits",
        f"{org}/slots_in_use": "Slots in use",
        f"{org}/cash/USD": "Cash",
        f"{org}/payments/{payment}": "Payment pay_01m8…ab52",
        f"agent/{agent}/granted_earnings/CREDIT": "Granted earnings of Scribe",
        f"escrow/{escrow}": "Escrow: Night reports",
        "platform/revenue/credits": "Platform: Revenue: Credits",
    }
    names = {agent: "Scribe", escrow: "Night reports"}
    assert {path: f.account(path, names) for path in written} == {
        path: f.Ident(path, words) for path, words in written.items()
    }


def test_words_are_joined_as_in_a_sentence():
    assert [f.joined(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_offered_locales_are_those_that_the_api_takes():
    assert [each.replace("-", "_") for each in Offered] == list(LOCALES)
    assert all(Locale.parse(each) for each in LOCALES)


@for_each(
    ("header", "locale"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de_AT"),
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("zh-CN,en;q=0.3, ja;q=0.85", "ja"),
        ("de;q=0, *", "en"),
        ("DE-ch", "de_CH"),
        ("", "en"),
        (";;q=,", "en"),
    ],
)
def test_locale_is_the_offered_one_that_the_browser_prefers(header, locale):
    assert locale_accepted(header) == locale
