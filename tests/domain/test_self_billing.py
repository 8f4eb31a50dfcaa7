"""What statements of creators say of tax."""

import pytest

from domain.document.words import LANGUAGES, STATED_TAX
from domain.tax.self_billing import StatedTax, stated_tax
from domain.tax.treatment import TaxParty


@pytest.mark.parametrize(
    ("creator", "platform", "stated"),
    [
        (TaxParty(billing_country="FR", vat_country="FR"), "DE", StatedTax.REVERSE_CHARGE),
        (TaxParty(billing_country="FR"), "DE", StatedTax.NOT_STATED),
        (TaxParty(billing_country="DE", vat_country="DE"), "DE", StatedTax.NOT_STATED),
        (TaxParty(billing_country="FR", vat_country="FR"), "US", StatedTax.NOT_STATED),
        # The number is of another country than the one that an operator found.
        (TaxParty(billing_country="FR", vat_country="FR", confirmed_country="IT"), "DE", StatedTax.NOT_STATED),
        (TaxParty(billing_country="US"), "DE", StatedTax.OUTSIDE_SCOPE),
        (TaxParty(billing_country="US"), "US", StatedTax.NOT_STATED),
        (TaxParty(billing_country="US"), None, StatedTax.NOT_STATED),
        # A card tells what its holder is charged, and not where a creator is.
        (TaxParty(card_country="US"), "DE", StatedTax.NO_PROFILE),
    ],
)
def test_tax_is_stated_as_far_as_it_is_known(creator: TaxParty, platform: str | None, stated: StatedTax) -> None:
    assert stated_tax(creator, platform) is stated


def test_each_code_has_its_sentence_in_every_language() -> None:
    assert STATED_TAX.keys() == set(StatedTax)
    assert all(words.keys() == set(LANGUAGES) for words in STATED_TAX.values())
