"""A piece of advice, and its formatting. Pure; amounts are minor units."""

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
    """Meaning of the amount: saved, stopped (not spent or received in time), earned, or dependent on one source."""

    SAVING = "saving"
    STOPPED = "stopped"
    EARNING = "earning"
    AT_RISK = "at_risk"


@dataclass(frozen=True, slots=True)
class AdviceAction:
    """API call that applies the advice."""

    method: str
    path: str
    body: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """A piece of advice.

    Attributes:
        subject: an id or a code, unique within the kind.
        amount_minor: for the month, in `currency`; see `meaning`.
        title: one sentence.
        how: the calculation, in sentences.
        figures: its figures by name: amounts as decimal strings, counts as numbers.
        act: the API call that applies it; `page` is the page of the console for it.
        proposes: the purchase or change of a payment policy to propose; None for other acts.
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
    """Format an amount with its currency."""
    return f"{format_amount(amount_minor, currency)} {'credits' if currency == CREDIT else currency}"


def format_count(number: int, noun: str) -> str:
    """Format a count with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def was_or_were(number: int) -> str:
    """Return `was` or `was_or_were`."""
    return "was" if number == 1 else "were"
