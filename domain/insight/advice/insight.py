"""One piece of advice, and how it is written. Pure.

Amounts are minor units. The prices are those of the packages, plans and offers themselves; nothing here has a price.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.common.money import CREDIT, format_amount
from domain.insight.advice.proposal import OrderProposal, PolicyProposal


class AdviceKind(StrEnum):
    """The kinds of advice."""

    PACKAGE = "package"
    ANNUAL_PLAN = "annual_plan"
    AUTO_TOPUP = "auto_topup"
    CHEAPER_AGENT = "cheaper_agent"
    UNUSED = "unused"
    PAYMENT_METHOD = "payment_method"
    LIMIT = "limit"
    BULK = "bulk"
    FREE_TIER = "free_tier"
    METHOD = "method"
    ARBITRAGE = "arbitrage"
    MODEL_SWAP = "model_swap"
    DIVERSIFY = "diversify"


class AmountMeaning(StrEnum):
    """What the amount is.

    Money that would have been saved; that could not be spent or received in time; that would have been earned; or that
    depends on one source.
    """

    SAVING = "saving"
    STOPPED = "stopped"
    EARNING = "earning"
    AT_RISK = "at_risk"


@dataclass(frozen=True, slots=True)
class AdviceAction:
    """The API call that takes the advice."""

    method: str
    path: str
    body: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One piece of advice.

    Attributes:
        subject: what it is about, unique among its kind: an id or a code.
        amount_minor: the money of the month, in `currency`; `meaning` says what it is.
        title: one sentence.
        how: the arithmetic, as sentences with its figures.
        figures: the same figures by name: amounts as decimal strings, counts as numbers.
        act: the call that takes it; `page` is the page of the console where it is taken.
        proposes: the purchase or the change of a payment policy that `take` proposes; None for every other act.
    """

    kind: AdviceKind
    subject: str
    amount_minor: int
    currency: str
    meaning: AmountMeaning
    title: str
    how: tuple[str, ...]
    figures: Mapping[str, str | int]
    act: AdviceAction
    page: str
    proposes: OrderProposal | PolicyProposal | None = None

    @property
    def id(self) -> str:
        return f"{self.kind.value}-{self.subject}"


def format_money(amount_minor: int, currency: str) -> str:
    """Write an amount with its currency."""
    return f"{format_amount(amount_minor, currency)} {'credits' if currency == CREDIT else currency}"


def format_count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def was_or_were(number: int) -> str:
    """Return the verb of a number of things."""
    return "was" if number == 1 else "were"
