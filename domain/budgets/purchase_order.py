"""Purchase orders: external purchases of agents, their approval, payment and end. Pure.

An order is decided in the transaction of its request. An approved one holds its amount in the budgets above its agent
until it is purchased, abandoned or expires. A payment attempt is recorded before it is made.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from domain.common import errors as refusals
from domain.common.approval import require_second_operator
from domain.common.calendar import Window
from domain.common.errors import Conflict, Invalid
from domain.common.money import format_amount
from domain.common.text import as_markdown
from domain.privacy.data_map import TECHNICAL

#: The maximum number of alternatives of an order.
MAX_ALTERNATIVES = 20
#: The maximum number of attempts of an order.
MAX_ATTEMPTS = 20
#: After how long an attempt of unknown result is reported.
UNKNOWN_REPORTED_AFTER = timedelta(days=30)


class PurchaseOrderStatus(StrEnum):
    """Status of a purchase order."""

    APPROVED = "approved"
    NEEDS_ALTERNATIVES = "needs_alternatives"
    NEEDS_APPROVAL = "needs_approval"
    DECLINED_OVER_BUDGET = "declined_over_budget"
    DECLINED_POLICY = "declined_policy"
    PURCHASED = "purchased"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_CAN_BE_ABANDONED = frozenset(
    {
        PurchaseOrderStatus.APPROVED,
        PurchaseOrderStatus.NEEDS_APPROVAL,
        PurchaseOrderStatus.NEEDS_ALTERNATIVES,
        PurchaseOrderStatus.DECLINED_OVER_BUDGET,
        PurchaseOrderStatus.DECLINED_POLICY,
    }
)


class DecisionCode(StrEnum):
    """Reason of an order's last decision."""

    APPROVED = "approved"
    GRANTED = "granted"
    OVER_BUDGET = "over_budget"
    NO_BUDGET = "no_budget"
    POLICY = "policy"
    NEEDS_ALTERNATIVES = "needs_alternatives"
    APPROVAL_REQUIRED = "approval_required"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class AttemptStatus(StrEnum):
    """Status of an attempt; `begun` until its result is reported."""

    BEGUN = "begun"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    UNKNOWN = "unknown"


#: Results that are final.
FINAL_STATUSES = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED})


class PurchaseOnLimit(StrEnum):
    """Treatment of an order that exceeds a budget."""

    REFUSE = "refuse"
    ASK = "ask"
    RESERVE = "reserve"


class Term(StrEnum):
    """Renewal interval of a purchase."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def months(self) -> int:
        return {Term.MONTH: 1, Term.QUARTER: 3, Term.YEAR: 12}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftedLimit:
    """A budget window that a grant lifts for one purchase, which still counts in it."""

    budget_id: str
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingWindow:
    """Budget window that decides about an order: limit and remainder, in minor units of `currency`.

    Attributes:
        budget_id: of the control, `ctl_…`.
        subject: the budget's subject in sentences, such as `agent Ada`.
        window: None if the refusal is not by a window.
        limit_minor: None if the budget has no amount.
        resets_at: None for a lifetime.
    """

    budget_id: str
    subject: str
    currency: str
    window: Window | None
    limit_minor: int | None
    remaining_minor: int | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to pay for an order."""

    number: int
    status: AttemptStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeBooking:
    """Booking of a charge: from the hold, and beyond it.

    Attributes:
        spent_minor: captured from the hold; `returned_minor` is released.
        forced_minor: counted beyond the hold, even if it exceeds the budgets.
    """

    spent_minor: int
    returned_minor: int
    forced_minor: int


def grant_digest(
    *, item: str, vendor: str, amount_minor: int, currency: str, pool: str, lifts: Sequence[LiftedLimit]
) -> str:
    """Return the SHA-256 of what a person grants; the order of `lifts` does not matter."""
    content = {
        "item": item,
        "vendor": vendor,
        "amount": format_amount(amount_minor, currency),
        "currency": currency,
        "pool": pool,
        "lifts": sorted([lift.budget_id, lift.window.value] for lift in lifts),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_PERIODS = {
    Window.HOUR: "in this hour",
    Window.DAY: "today",
    Window.WEEK: "this week",
    Window.MONTH: "this month",
    Window.QUARTER: "this quarter",
    Window.LIFETIME: "for good",
}


def sentence_of_refusal(reason: str, binding: DecidingWindow) -> str:
    """Explain a budget's refusal in a sentence, with the remainder and the next reset.

    Args:
        reason: of the ledger: `limit`, `uses`, `per_spend`, `frozen`.
        binding: the refusing window; with `uses` its limit and remainder are counts.
    """
    of, more = f"in the budget of {binding.subject}", _more(binding)
    period = "" if binding.window is None else f" {_PERIODS[binding.window]}"
    if reason == "limit" and binding.limit_minor is not None:
        left, limit = (
            format_amount(minor or 0, binding.currency) for minor in (binding.remaining_minor, binding.limit_minor)
        )
        return f"Only {left} {binding.currency} of {limit} are left{period} {of}{more}."
    if reason == "uses":
        return f"No purchases are left{period} {of}{more}."
    if reason == "per_spend" and binding.limit_minor is not None:
        most = format_amount(binding.limit_minor, binding.currency)
        return f"One purchase may cost at most {most} {binding.currency} {of}."
    return f"Spending is frozen {of}."


def sentence_of_approval(amount_minor: int, currency: str, binding: DecidingWindow | None) -> str:
    """Confirm a hold in a sentence, with the remainder after it."""
    held = f"{format_amount(amount_minor, currency)} {currency} are held for this purchase"
    if binding is None or binding.remaining_minor is None:
        return f"{held}."
    left = f"{format_amount(binding.remaining_minor, binding.currency)} {binding.currency}"
    period = "" if binding.window is None else f" {_PERIODS[binding.window]}"
    return f"{held}; {left} are left{period} in the budget of {binding.subject}."


def sentence_of_waiting(why: str, persons: int, answer_by: datetime) -> str:
    """Explain in a sentence why persons must approve, how many, and until when."""
    who = "One person has" if persons == 1 else "Two persons have"
    until = f"{answer_by:%Y-%m-%d %H:%M} UTC"
    return f"{why} {who} to approve the purchase before {until}; after that it is declined."


def _more(binding: DecidingWindow) -> str:
    return "" if binding.resets_at is None else f"; more on {binding.resets_at:%Y-%m-%d %H:%M} UTC"


def check_attempt(
    status: PurchaseOrderStatus, attempts: Sequence[Attempt], *, held_until: datetime | None, at: datetime
) -> int:
    """Return the number of the next attempt.

    Raises:
        WrongState: the order is not approved, or its hold has ended.
        AttemptOpen: the result of an attempt is missing or unknown.
        Conflict: `purchase_order.attempts_exhausted`.
    """
    if status is not PurchaseOrderStatus.APPROVED:
        raise refusals.WrongOrderState(
            f"Only an approved order can be paid for. This one is {status.value}.", extra={"state": status.value}
        )
    refuse_open(attempts)
    if held_until is not None and at >= held_until:
        raise refusals.WrongOrderState(
            "The hold of this order has ended. Propose the purchase again.",
            extra={"state": PurchaseOrderStatus.EXPIRED.value},
        )
    if len(attempts) >= MAX_ATTEMPTS:
        raise refusals.PurchaseOrderAttemptsExhausted(
            f"An order can have {MAX_ATTEMPTS} attempts. Abandon it and propose the purchase again."
        )
    return len(attempts) + 1


def refuse_open(attempts: Sequence[Attempt], *, only_unknown: bool = False) -> None:
    """Refuse while the result of an attempt is missing or unknown.

    Raises:
        AttemptOpen: a result is unknown or, without `only_unknown`, missing.
    """
    waiting = {AttemptStatus.UNKNOWN} if only_unknown else {AttemptStatus.UNKNOWN, AttemptStatus.BEGUN}
    for attempt in attempts:
        if attempt.status in waiting:
            raise refusals.AttemptOpen(
                f"The result of attempt {attempt.number} is not known yet. Look it up at the provider, and report "
                "whether it succeeded or was declined.",
                extra={"attempt": attempt.number},
            )


def book_charge(held_minor: int, charged_minor: int, *, is_confirmed: bool) -> ChargeBooking:
    """Book a charge: from the hold as far as it suffices, and the rest as forced.

    An unconfirmed charge below the hold counts as the whole hold.
    """
    spent = min(held_minor, charged_minor) if is_confirmed else held_minor
    return ChargeBooking(
        spent_minor=spent, returned_minor=held_minor - spent, forced_minor=max(0, charged_minor - held_minor)
    )


def status_after_charge(status: PurchaseOrderStatus) -> PurchaseOrderStatus:
    """Return the status after a charge: `purchased`, even if the order was abandoned or expired before.

    Otherwise the renewals of an abandoned order that was paid nevertheless would not count, and it could not be
    cancelled.
    """
    paid = {PurchaseOrderStatus.APPROVED, PurchaseOrderStatus.EXPIRED, PurchaseOrderStatus.ABANDONED}
    return PurchaseOrderStatus.PURCHASED if status in paid else status


def check_abandon(status: PurchaseOrderStatus, attempts: Sequence[Attempt]) -> None:
    """Refuse to abandon an order that was purchased or has ended, or whose last attempt may have been charged.

    Raises:
        WrongState, AttemptOpen.
    """
    if status not in _CAN_BE_ABANDONED:
        raise refusals.WrongOrderState(
            f"This order is {status.value} and cannot be abandoned.", extra={"state": status.value}
        )
    refuse_open(attempts, only_unknown=True)


def check_cancel(status: PurchaseOrderStatus, term: Term | None) -> None:
    """Refuse to cancel the renewal of an order that does not renew, or was not purchased.

    Raises:
        WrongState: it cannot be cancelled.
    """
    if term is None or status is not PurchaseOrderStatus.PURCHASED:
        raise refusals.WrongOrderState(
            "Only a purchase that renews can be cancelled. Abandon an order that was not purchased.",
            extra={"state": status.value},
        )


def check_refund(refunded_minor: int, paid_minor: int, amount_minor: int, currency: str) -> None:
    """Refuse a refund of more than the paid amount less earlier refunds.

    Raises:
        Invalid: it is more.
    """
    left = paid_minor - refunded_minor
    if amount_minor > left:
        raise Invalid(
            f"Of this purchase {format_amount(left, currency)} {currency} can still be refunded.",
            extra={"field": "amount"},
        )


def check_confirmation(
    status: PurchaseOrderStatus,
    attempts: Sequence[Attempt],
    *,
    was_held: bool,
    charged_minor: int,
    refunded_minor: int,
    is_explained: bool,
) -> None:
    """Refuse a person's figures that are impossible, or that differ from the report without a reason.

    Raises:
        WrongState: nothing was ever held or charged.
        AttemptOpen: the result of an attempt is unknown, or missing while the order can still be paid.
        Invalid: more is refunded than charged; a reason is missing.
    """
    if not was_held:
        raise refusals.WrongOrderState(
            f"This order is {status.value}; nothing of it was held or charged.", extra={"state": status.value}
        )
    refuse_open(attempts, only_unknown=status is not PurchaseOrderStatus.APPROVED)
    if refunded_minor > charged_minor:
        raise Invalid("At most what was charged can be refunded.", extra={"field": "refunded"})
    if not is_explained:
        raise Invalid("Give a reason why the figures differ from the report.", extra={"field": "reason"})


def allocate_refund(counts: Sequence[tuple[int, int, int]], amount_minor: int) -> dict[int, int]:
    """Return the total refund of each count after a refund of an amount, from the newest count on.

    Args:
        counts: number, spent and refunded amount of each count of the order, in minor units.
        amount_minor: of the refund; at most the spent less the refunded amount.
    """
    totals: dict[int, int] = {}
    for number, spent, refunded in sorted(counts, reverse=True):
        part = min(spent - refunded, amount_minor)
        if part:
            totals[number], amount_minor = refunded + part, amount_minor - part
    if amount_minor:
        raise ValueError("more is refunded than was spent")
    return totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Person who requests or approves a purchase: the principal, and its key's issuers.

    Attributes:
        name: the qualified principal.
        line: the principals of its key and of its issuers, in lower case.
        key_at: when its key was issued; None if it acts without one.
    """

    name: str
    line: frozenset[str]
    key_at: datetime | None


def check_grant(
    status: PurchaseOrderStatus,
    *,
    given: str,
    present: str,
    requested_at: datetime,
    answer_by: datetime | None,
    at: datetime,
    asked_by: Person,
    by: Person,
    before: Sequence[Person],
) -> None:
    """Refuse a grant that is late, of a changed order, of the person's own purchase, or the person's second.

    Args:
        status: of the order.
        given: the digest that the person was shown.
        present: the present digest of the order.
        requested_at: the time of the request.
        answer_by: the end of the time to answer.
        at: the time of the grant.
        asked_by: the proposer.
        by: the granter.
        before: earlier granters.

    Raises:
        WrongState: the order does not need approval, or its time to answer is over.
        Stale: the digests differ.
        Forbidden: `approval.own`, the person, or one with a related key, proposed it.
        Conflict: `approval.decided`, the person, or one with a related key, has granted it already.
    """
    if status is not PurchaseOrderStatus.NEEDS_APPROVAL:
        raise refusals.WrongOrderState(
            f"This order is {status.value}and needs no approval.", extra={"state": status.value}
        )
    if answer_by is not None and at >= answer_by:
        # Its run declines it as soon as it gets to it.
        raise refusals.WrongOrderState(
            "The time to answer is over. Propose the purchase again.", extra={"state": status.value}
        )
    if given != present:
        raise refusals.ApprovalStale(
            "The order has changed since this approval was given. Read it again, and send its digest.",
            extra={"digest": present},
        )
    _check_other(asked_by, by, requested_at, "Somebody else has to approve this purchase, not who proposed it.")
    for person in before:
        if (person.line | {person.name.lower()}) & (by.line | {by.name.lower()}):
            raise refusals.ApprovalDecided(
                "You have approved this purchase already, with this or another key. Another person must approve "
                "it too.",
                extra={"state": status.value},
            )


def _check_other(asked_by: Person, by: Person, requested_at: datetime, why: str) -> None:
    try:
        require_second_operator(
            requested_by=asked_by.name,
            requested_at=requested_at,
            requested_line=asked_by.line,
            by=by.name,
            line=by.line,
            key_at=by.key_at or requested_at,
        )
    except Conflict:
        raise refusals.ApprovalOwn(
            f"{why} Keys count as one person's when one of them issued the other, directly or through others, and a "
            "key must be older than the request."
        ) from None


def renews_after(term: Term, at: datetime, day: int) -> datetime:
    """Return the next renewal: on the same day of the month, or the last one of a shorter month."""
    months = at.month - 1 + term.months
    year, month = at.year + months // 12, months % 12 + 1
    for last in (day, 30, 29, 28):
        try:
            return at.replace(year=year, month=month, day=last)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPurchase:
    """Order that waits for approval, for its run and the Temporal UI.

    Attributes:
        amount: with its currency.
        digest: of what a grant covers now.
        persons: the number of required approvals; `granted` is the number of given ones.
        answer_by: None once it is decided.
    """

    order_id: str
    org_id: str
    agent_id: str
    status: PurchaseOrderStatus
    item: str
    vendor: str
    amount: str
    sentence: str
    digest: Annotated[str, TECHNICAL]
    persons: int
    granted: int
    answer_by: datetime | None


def summary(order_id: str) -> str:
    """Return the summary of an order's run, for the list."""
    return f"waits for the approval of {order_id}"


def details(purchase: WaitingPurchase, refused: str | None = None) -> str:
    """Return the details of an order's run: purchase, approvals, deadline, and commands."""
    lines = [
        f"**{purchase.status.value}** · {purchase.amount} · {as_markdown(purchase.item)} of "
        f"{as_markdown(purchase.vendor)}",
        "",
        f"- {as_markdown(purchase.sentence)}",
        f"- asked for by {purchase.agent_id} of {purchase.org_id}",
        f"- approved by {purchase.granted} of {purchase.persons}",
    ]
    if refused is not None:
        lines.append(f"- the last command was refused: {as_markdown(refused)}")
    if purchase.answer_by is not None:
        lines.append(f"- declined at {purchase.answer_by:%Y-%m-%d %H:%M:%S} UTC unless somebody answers")
        lines.append(
            f"- updates of operators: `grant` with the digest {purchase.digest}, or `refuse`; each with the id"
        )
    return "\n".join(lines)
