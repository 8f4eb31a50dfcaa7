"""When a balance of credits runs out: the forecast is of what is used, and the rest is known from the books. Pure.

Lots expire on their day, months of a paid year are granted, and a debt takes the first credits that come. The renewal
of a plan and its open invoice bring credits only if they are paid, so the earliest day does not count on them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise

from domain.billing.subscription.grants import due_month, grant_month
from domain.billing.subscription.state import ChangeKind, Subscription, SubscriptionStatus

_DAY = timedelta(days=1)


class BalanceChangeKind(StrEnum):
    """Why a balance changes without being used."""

    EXPIRY = "expiry"
    #: A month of a year that is paid.
    GRANT = "grant"
    #: The next period of a plan, if it is paid.
    RENEWAL = "renewal"
    #: An open invoice of a plan, if it is paid when it is due.
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """A change on a day (UTC): credits that come, or expire at its end."""

    day: date
    kind: BalanceChangeKind
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBooks:
    """What is known of a balance.

    Attributes:
        lots: the free amount and the last day of each lot, None where it does not expire, in the order of spending.
        owed_minor: what the next credits pay first.
        coming: credits that come.
    """

    lots: tuple[tuple[int, date | None], ...]
    owed_minor: int = 0
    coming: tuple[BalanceChange, ...] = ()

    def certain(self) -> "CreditBooks":
        """Return them without the credits that come only if something is paid."""
        return replace(self, coming=tuple(change for change in self.coming if change.kind is BalanceChangeKind.GRANT))


@dataclass(frozen=True, slots=True)
class BalancePath:
    """A balance at the end of each day, the day that its credits did not suffice for, and what expired."""

    balances: tuple[int, ...]
    runs_out: date | None
    expired: tuple[BalanceChange, ...]


def project_balance(books: CreditBooks, used: Sequence[int], first: date) -> BalancePath:
    """Return what becomes of a balance that is used by so much on each day from `first` on."""
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
    """Return what is used each day where the sum of all days so far differs from the forecast by its reach.

    Args:
        values: the forecast of each day.
        reaches: by how much the sum of the days so far differs, below zero for less.
        already: what of the first day was used by now, and is not in the balance any more.
    """
    sums = (max(0, round(total + reach) - already) for total, reach in zip(accumulate(values), reaches, strict=True))
    return (b - a for a, b in pairwise(accumulate(sums, max, initial=0)))


def expected_credits(plan: Subscription, until: datetime) -> Iterator[BalanceChange]:
    """Return the credits that a subscription brings before `until`: of paid months, open invoices and renewals."""
    for request in plan.requests:
        if request.credits_minor and request.due_at < until:
            yield BalanceChange(request.due_at.date(), BalanceChangeKind.INVOICE, request.credits_minor)
    while (month := due_month(plan)) is not None and month.start < until:
        plan, grants = grant_month(plan, month)
        for grant in grants:
            yield BalanceChange(month.start.date(), BalanceChangeKind.GRANT, grant.credits_minor)
    renews = not (plan.cancel_at_period_end or plan.ends_by_suspension)
    if not renews or plan.status not in {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING} or plan.period is None:
        return
    starts, terms = plan.period.end, plan.terms
    if plan.change is not None and plan.change.kind is ChangeKind.DOWNGRADE:
        terms = plan.change.terms
    while terms.credits_minor and starts < until:
        yield BalanceChange((starts + terms.net_days * _DAY).date(), BalanceChangeKind.RENEWAL, terms.credits_minor)
        starts = plan.anchor.month_of(starts, plan.zone).end if plan.anchor is not None else until
