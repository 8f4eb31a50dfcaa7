"""Which rate counts where and when, and who owes the tax."""

from datetime import UTC, datetime

import pytest

from domain.billing.tax.rates import NO_TAX, TaxCategory, TaxRate, check_rate, find_rate, parse_rate
from domain.billing.tax.treatment import EXEMPT, REVERSE_CHARGE, TaxParty, treat
from domain.common.errors import Invalid
from tests.support.cases import for_each

NOW = datetime(2026, 7, 1, tzinfo=UTC)
EARLIER = datetime(2020, 1, 1, tzinfo=UTC)


def rate(code: str, country: str, rate_e6: int, since: datetime = EARLIER, **more: object) -> TaxRate:
    return TaxRate(code=code, country=country, rate_e6=rate_e6, valid_from=since, **more)


RATES = [
    rate("de-vat", "DE", 190_000),
    rate("de-book", "DE", 70_000, product="book"),
    rate("fr-vat", "FR", 200_000),
    rate("hu-vat", "HU", 270_000),
    rate("us-ny", "US", 88_750, region="NY"),
    rate("ch-old", "CH", 77_000, valid_until=datetime(2024, 1, 1, tzinfo=UTC)),
    rate("ch-new", "CH", 81_000, datetime(2024, 1, 1, tzinfo=UTC)),
    rate("ch-next", "CH", 85_000, datetime(2027, 1, 1, tzinfo=UTC)),
]


@for_each(
    "country, region, product, at, code",
    [
        ("DE", None, "standard", NOW, "de-vat"),
        ("DE", "BY", "book", NOW, "de-book"),
        ("US", "NY", "standard", NOW, "us-ny"),
        ("US", "CA", "standard", NOW, None),
        ("US", None, "standard", NOW, None),
        ("CH", None, "standard", NOW, "ch-new"),
        ("CH", None, "standard", datetime(2023, 12, 31, tzinfo=UTC), "ch-old"),
        ("CH", None, "standard", datetime(2024, 1, 1, tzinfo=UTC), "ch-new"),
        ("DE", None, "standard", datetime(2019, 1, 1, tzinfo=UTC), None),
    ],
)
def test_the_most_special_rate_that_has_begun_counts(country, region, product, at, code):
    found = find_rate(RATES, country=country, region=region, product=product, at=at)
    assert (found and found.code) == code


@for_each(
    "party, expected, is_proven",
    [
        (TaxParty(billing_country="DE", card_country="DE"), "de-vat", True),
        (TaxParty(billing_country="FR", card_country="FR"), "fr-vat", True),
        (TaxParty(billing_country="BR", card_country="BR"), NO_TAX.code, True),
        (TaxParty(billing_country="DE", card_country="US", confirmed_country="DE"), "de-vat", True),
        # What is not proven is charged the highest of what may be true.
        (TaxParty(), "de-vat", False),
        (TaxParty(billing_country="BR"), "de-vat", False),
        (TaxParty(billing_country="FR", card_country="HU"), "hu-vat", False),
        (TaxParty(billing_country="BR", card_country="DE"), "de-vat", False),
        # Reverse charge: abroad, in the union, proven, and the number's country is that one.
        (TaxParty(billing_country="FR", card_country="FR", vat_country="FR"), REVERSE_CHARGE.code, True),
        (TaxParty(billing_country="FR", card_country="FR", vat_country="AT"), "fr-vat", True),
        (TaxParty(billing_country="DE", card_country="DE", vat_country="DE"), "de-vat", True),
        (TaxParty(billing_country="FR", vat_country="FR"), "fr-vat", False),
        (TaxParty(billing_country="FR", is_exempt=True), EXEMPT.code, True),
    ],
)
def test_who_is_charged_what(party, expected, is_proven):
    found = treat(party, "DE", RATES, ["standard"], NOW)
    assert ([tax.code for tax in found.taxes], found.is_proven) == ([expected], is_proven)


def test_each_product_has_its_own_rate_and_a_region_counts_in_its_own_country_only():
    party = TaxParty(billing_country="DE", card_country="DE", region="NY")
    assert [tax.code for tax in treat(party, "DE", RATES, ["book", "standard"], NOW).taxes] == ["de-book", "de-vat"]
    elsewhere = TaxParty(billing_country="FR", card_country="US", region="NY")
    assert treat(elsewhere, "DE", RATES, ["standard"], NOW).taxes[0].code == "fr-vat"


def test_a_seller_without_a_country_charges_no_tax():
    found = treat(TaxParty(), None, RATES, ["standard"], NOW)
    assert (found.taxes, found.is_proven) == ((NO_TAX,), True)
    assert NO_TAX.category is TaxCategory.OUTSIDE


@for_each(
    "wrong",
    [
        {"country": "de"},
        {"country": "DEU"},
        {"region": "de-by"},
        {"product": "A b"},
        {"code": "none"},
        {"code": "a/b"},
        {"rate_e6": 1_000_001},
        {"rate_e6": -1},
        {"valid_until": EARLIER},
    ],
)
def test_rates_that_make_no_sense_are_refused(wrong):
    terms = {"code": "x", "country": "DE", "rate_e6": 1, "valid_from": EARLIER} | wrong
    with pytest.raises(Invalid) as refusal:
        check_rate(TaxRate(**terms))
    assert refusal.value.extra["field"] == next(iter(wrong)).removesuffix("_e6")


def test_a_rate_has_up_to_six_decimals() -> None:
    assert parse_rate("0.0887500") == 88_750
    with pytest.raises(Invalid, match="up to 6 decimals"):
        parse_rate("0.0887501")


BY_REGION = [
    rate("us-ny", "US", 88_750, region="NY"),
    rate("us-ca", "US", 72_500, region="CA"),
    rate("es-vat", "ES", 210_000),
    rate("es-igic", "ES", 70_000, region="CN"),
]


@pytest.mark.parametrize(
    ("party", "seller", "code", "is_proven"),
    [
        (TaxParty(billing_country="US", card_country="US"), "US", "us-ny", False),
        (TaxParty(billing_country="US", card_country="US", region="CA"), "US", "us-ca", True),
        (TaxParty(billing_country="US", card_country="US", region="OR"), "US", "none", True),
        # What gives the region away is put elsewhere.
        (TaxParty(billing_country="BR", card_country="US", confirmed_country="US", region="NY"), "DE", "us-ny", False),
        (TaxParty(), "US", "us-ny", False),
        (TaxParty(billing_country="ES", card_country="ES"), "ES", "es-vat", True),
        (TaxParty(billing_country="ES", card_country="ES", region="CN"), "ES", "es-igic", True),
    ],
)
def test_nobody_pays_less_by_leaving_the_region_out(party, seller, code, is_proven):
    found = treat(party, seller, BY_REGION, ["standard"], NOW)
    assert ([tax.code for tax in found.taxes], found.is_proven) == ([code], is_proven)
