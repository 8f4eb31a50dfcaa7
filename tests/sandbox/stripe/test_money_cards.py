"""The table of test cards and what is worked out from amounts, without a server."""

from dataclasses import replace

import pytest

from dev.sandbox.stripe import cards, money
from dev.sandbox.stripe.card_table import CARDS
from dev.sandbox.stripe.core import Refusal
from tests.support.cases import for_each


def test_ids_of_one_number_behave_alike():
    # A stored method is led back to its card by the number alone.
    for card in CARDS.values():
        found = cards.by_number(card.number)
        assert replace(found, id=card.id) == card


def test_every_decline_of_the_table_can_be_reported():
    for card in CARDS.values():
        if card.decline is not None:
            assert cards.decline(card, card.decline).message


def test_card_numbers_carry_a_valid_check_digit():
    for card in CARDS.values():
        if card.type == "card":
            digits = [int(digit) for digit in reversed(card.number)]
            doubled = [2 * digit - 9 * (digit > 4) for digit in digits[1::2]]
            assert (sum(digits[::2]) + sum(doubled)) % 10 == 0, card.id


def test_ibans_carry_valid_check_digits():
    ibans = [card.number for card in CARDS.values() if card.type == "sepa_debit"]
    assert ibans
    for iban in ibans:
        assert int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1, iban


def test_token_and_spaced_number_name_the_same_card():
    assert cards.find("tok_visa") is cards.find("pm_card_visa")
    assert cards.by_number("4000 0000 0000 9995").decline == "insufficient_funds"
    assert (cards.find("pm_unknown"), cards.by_number("4111111111111111")) == (None, None)


@for_each(
    "amount, currency, method, fee",
    [
        (2000, "usd", "card", 88),
        (2000, "eur", "card", 83),
        (1050, "gbp", "card", 50),  # 30.45 and 20, rounded half up as a whole
        (1050, "jpy", "card", 30),
        (62_499, "usd", "us_bank_account", 500),
        (62_563, "usd", "us_bank_account", 500),
        (1000, "usd", "us_bank_account", 8),
        (100_000, "eur", "sepa_debit", 35),
    ],
)
def test_fee_of_a_charge(amount, currency, method, fee):
    assert money.processing_fee(amount, currency, method) == fee


@pytest.mark.parametrize(("currency", "fee"), [("usd", 1500), ("jpy", 15), ("kwd", 15_000)])
def test_dispute_costs_fifteen_units(currency, fee):
    assert money.dispute_fee(currency) == fee


@for_each("currency, least", sorted(money.MINIMUM.items()))
def test_least_amount_is_taken_and_one_step_less_is_not(currency, least):
    money.check_amount(least, currency)
    with pytest.raises(Refusal) as refused:
        money.check_amount(least - 1, currency)
    assert refused.value.code == "amount_too_small"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(2000, "usd", "20.00 USD"), (2000, "jpy", "2,000 JPY"), (2000, "kwd", "2.000 KWD"), (-5, "eur", "-0.05 EUR")],
)
def test_amount_is_written_with_the_decimals_of_its_currency(amount, currency, text):
    assert money.written(amount, currency) == text
