from domain.billing.billing_terms import BillingTerms
from domain.common.money import amounts_from
from tests.support.cases import for_each


@for_each(
    "currency, agreed_minor, limit_minor",
    [("USD", None, 1_000_000), ("JPY", None, 1_000_000), ("KWD", None, 3_000_000), ("KWD", 5, 5), ("EUR", 0, 0)],
)
def test_limit_on_unpaid_usage_is_the_agreed_one_or_that_of_the_currency(
    currency: str, agreed_minor: int | None, limit_minor: int
) -> None:
    terms = BillingTerms(currency=currency, unpaid_limit_minor=agreed_minor)
    assert terms.unpaid_limit(amounts_from("10000.00, 3000 KWD")) == limit_minor
