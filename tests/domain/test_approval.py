from domain.common.approval import content_above
from domain.common.money import Amounts, amounts_from
from tests.support.cases import for_each

ONE_FOR_ALL = amounts_from("100.00")


@for_each(
    "setting, amount_minor, currency, by_two",
    [
        (None, 10**9, "USD", False),
        (ONE_FOR_ALL, 10_000, "USD", False),
        (ONE_FOR_ALL, 10_001, "USD", True),
        (ONE_FOR_ALL, 10_000, "JPY", False),
        (ONE_FOR_ALL, 10_001, "JPY", True),
        (ONE_FOR_ALL, 10_001, "KWD", True),
        (amounts_from("100.00, 30 KWD"), 30_000, "KWD", False),
        (amounts_from("100.00, 30 KWD"), 30_001, "KWD", True),
    ],
)
def test_amount_above_the_setting_takes_two_operators_in_every_currency(
    setting: Amounts | None, amount_minor: int, currency: str, by_two: bool
) -> None:
    assert (content_above(setting, amount_minor, currency) is not None) is by_two
