"""Projection of a credit balance from the forecast usage and the known changes in the ledger. Pure.

Lots expire, months of a paid year are granted, and a debt is deducted from the next credits. A plan's renewal and its
open invoice add credits only if they are paid, so the earliest day ignores them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise

from domain.billing.subscription.grants import due_month, grant_month
from domain.billing.subscription.state import Subscription

_DAY = timedelta(days=1)


class BalanceChangeKind(StrEnum):
    """Kind of a balance change other than usage."""

    EXPIRY = "expiry"
    #: A month of a year that is paid.
    GRANT = "grant"
    #: The next period of a plan, if it is paid.
    RENEWAL = "renewal"
    #: An open invoice of a plan, if it is paid when it is due.
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """Change on a day (UTC): credits added, or expired at its end."""

    day: date
    kind: BalanceChangeKind
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBooks:
    """Balance and its known changes.

    Attributes:
        lots: the free amount and last day of each lot, None if it does not expire, in the order of spending.
        owed_minor: the debt, deducted from the next credits.
        coming: future credits.
    """

    lots: tuple[tuple[int, date | None], ...]
    owed_minor: int = 0
    coming: tuple[BalanceChange, ...] = ()

    def certain(self) -> "CreditBooks":
        """Return the state without credits that depend on a payment."""
        return replace(self, coming=tuple(change for change in self.coming if change.kind is BalanceChangeKind.GRANT))


@dataclass(frozen=True, slots=True)
class BalancePath:
    """Projected balance at the end of each day, the day on which it runs out, and expired credits."""

    balances: tuple[int, ...]
    runs_out: date | None
    expired: tuple[BalanceChange, ...]


def project_balance(books: CreditBooks, used: Sequence[int], first: date) -> BalancePath:
    """Project a balance, given the usage of each day from `first` on."""
    lots = list(books.lots)
    owed, coming = books.owed_minor, sorted(books.coming, key=lambda change: change.day)
    balances, expired, runs_out = list[int](), list[BalanceChange](), None
    for number, wanted in enumerate(used):
        day = first + number * _DAY
        while coming and coming[0].day <= day:
            amount = coming.pop(0).amount_minor
            paid = min(owed, amount)
            owed -= paid
            lots.append((amount - paid, None))
        rest = list[tuple[int, date | None]]()
        for amount, last in lots:
            taken = min(wanted, amount)
            wanted -= taken
            if last is not None and last <= day and amount > taken:
                expired.append(BalanceChange(day, BalanceChangeKind.EXPIRY, amount - taken))
            elif amount > taken:
                rest.append((amount - taken, last))
        lots = rest
        balances.append(sum(amount for amount, _ in lots))
        if wanted and runs_out is None:
            runs_out = day
    return BalancePath(tuple(balances), runs_out, tuple(expired))


def daily_uses(values: Iterable[float], reaches: Iterable[float], already: int) -> Iterator[int]:
    """Return the daily usage whose cumulative sum differs from the forecast by `reaches`.

    Args:
        values: the forecast of each day.
        reaches: the difference of the cumulative sum, negative for less.
        already: usage of the first day so far, which the balance no longer includes.
    """
    sums = (max(0, round(total + reach) - already) for total, reach in zip(accumulate(values), reaches, strict=True))
    return (b - a for a, b in pairwise(accumulate(sums, max, initial=0)))


def expected_credits(plan: Subscription, until: datetime) -> Iterator[BalanceChange]:
    """Return the credits of a subscription before `until`: of paid months, open invoices and renewals."""
    for request in plan.requests:
        if request.credits_minor and request.due_at < until:
            yield BalanceChange(request.due_at.date(), BalanceChangeKind.INVOICE, request.credits_minor)
    while (month := due_month(plan)) is not None and month.start < until:
        plan, grants = grant_month(plan, month)
        for grant in grants:
            yield BalanceChange(month.start.date(), BalanceChangeKind.GRANT, grant.credits_minor)
    terms = plan.next_terms
    if terms is None or plan.period is None:
        return
    starts = plan.period.end
    while terms.credits_minor and starts < until:
        yield BalanceChange((starts + terms.net_days * _DAY).date(), BalanceChangeKind.RENEWAL, terms.credits_minor)
        starts = plan.anchor.month_of(starts, plan.zone).end if plan.anchor is not None else until
