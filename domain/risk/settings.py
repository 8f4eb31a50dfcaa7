"""Settings of decisions against fraud."""

from dataclasses import dataclass
from datetime import timedelta

from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    """Settings of decisions.

    Attributes:
        key: of the HMAC of entities that identify a person or device; without it these are not counted.
        enforced: whether outcomes have an effect; otherwise they are stored only, and every act takes place.
        within: the time for a decision.
        lock_wait: the time for each wait for concurrent acts; by default two thirds of `within`.
        review_above: the amount above which an act is reviewed if its decision takes longer.
        price: of a credit, to value acts in credits.
    """

    key: bytes | None
    enforced: bool
    review_above: Amounts
    price: CreditPrice
    within: timedelta = timedelta(milliseconds=150)
    lock_wait: timedelta | None = None

    def value_minor(self, amount_minor: int, currency: str) -> int:
        """Return an amount in minor units of its currency; credits count at their price."""
        if currency != CREDIT:
            return amount_minor
        credits_minor, money_minor = self.price.rate()
        return amount_minor * money_minor // credits_minor
