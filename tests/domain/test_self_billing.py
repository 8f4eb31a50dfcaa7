"""Tax on the statements of creators."""

from datetime import UTC, datetime

from domain.billing.document.words import STATED_TAX
from domain.billing.tax.rates import TaxRate
from domain.billing.tax.self_billing import (
    StatedTax,
    Supplier,
    TaxStatement,
    amounts_without_tax,
    included_tax,
    stated_tax,
)
from domain.billing.tax.treatment import TaxParty
from domain.common.mail import LANGUAGES
from tests.support.cases import for_each

NOW = datetime(2026, 10, 31, tzinfo=UTC)
GERMAN = TaxRate(code="de-vat", country="DE", rate_e6=190_000, valid_from=NOW.replace(year=2020))
FRENCH, HERE = TaxParty(billing_country="FR", vat_country="FR"), TaxParty(billing_country="DE", vat_country="DE")


def supplier(party: TaxParty, *, has_number: bool = True, charges_vat: bool = False) -> Supplier:
    return Supplier(party=party, has_number=has_number, charges_vat=charges_vat)


@for_each(
    "creator, platform, stated",
    [
        (supplier(HERE, charges_vat=True), "DE", StatedTax.CHARGED),
        # A small business has a number as well, and charges none.
        (supplier(HERE), "DE", StatedTax.NOT_STATED),
        (supplier(TaxParty(billing_country="DE"), charges_vat=True), "DE", StatedTax.NOT_STATED),
        (supplier(TaxParty(billing_country="DE"), has_number=False), "DE", StatedTax.NOT_REGISTERED),
        # There is no rate of its country.
        (supplier(FRENCH, charges_vat=True), "FR", StatedTax.NOT_STATED),
        (supplier(FRENCH, charges_vat=True), "DE", StatedTax.REVERSE_CHARGE),
        (supplier(TaxParty(billing_country="FR")), "DE", StatedTax.NOT_STATED),
        (supplier(TaxParty(billing_country="FR"), has_number=False), "DE", StatedTax.NOT_REGISTERED),
        (supplier(FRENCH), "US", StatedTax.NOT_STATED),
        # The number is of another country than the one that an operator found.
        (
            supplier(TaxParty(billing_country="FR", vat_country="FR", confirmed_country="IT")),
            "DE",
            StatedTax.NOT_STATED,
        ),
        (supplier(TaxParty(billing_country="US")), "DE", StatedTax.OUTSIDE_SCOPE),
        (supplier(TaxParty(billing_country="US")), None, StatedTax.NOT_STATED),
        # A card's country decides on tax for its holder, and does not locate a creator.
        (supplier(TaxParty(card_country="US")), "DE", StatedTax.NO_PROFILE),
    ],
)
def test_tax_is_stated_only_if_known(creator: Supplier, platform: str | None, stated: StatedTax) -> None:
    rate_e6 = 190_000 if stated is StatedTax.CHARGED else 0
    assert stated_tax(creator, platform, [GERMAN], "standard", NOW) == TaxStatement(code=stated, rate_e6=rate_e6)


def test_earnings_include_the_tax_and_lines_add_up_to_the_net() -> None:
    amounts = [1_000, -190, 333, 47]
    tax_minor = included_tax(sum(amounts), 190_000)
    assert tax_minor == 190
    nets = amounts_without_tax(tax_minor, amounts)
    assert (sum(nets), nets[0]) == (1_000, 841)
    assert (included_tax(-5, 190_000), amounts_without_tax(0, [-5, 2])) == (0, [-5, 2])


def test_each_code_without_an_amount_has_its_sentence_in_every_language() -> None:
    assert STATED_TAX.keys() == set(StatedTax) - {StatedTax.CHARGED}
    assert all(words.keys() == set(LANGUAGES) for words in STATED_TAX.values())
