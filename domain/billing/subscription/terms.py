"""Subscription terms from the configured plans: the price, the credits and the number of seats. Pure."""

from collections.abc import Sequence

from domain.billing.plan import MAX_SEATS, Interval, Plan, PlanPrice
from domain.billing.subscription.state import Terms
from domain.common.errors import Invalid, SubscriptionSeatsInUse
from domain.common.money import MAX_AMOUNT_MINOR


def terms_of(
    plan: Plan,
    interval: Interval,
    currency: str,
    agreed: Sequence[PlanPrice] = (),
    *,
    net_days: int = 0,
    seats: int | None = None,
) -> Terms:
    """Return the terms of a chosen plan.

    Args:
        plan: the chosen plan.
        interval: how often it is paid.
        currency: of the payments.
        agreed: the organization's own prices of the plan, which also apply to a plan that is not sold any more.
        net_days: see `Terms`.
        seats: the number of seats of a plan sold by the seat.

    Raises:
        Invalid: the plan is not sold, or not for this interval, currency or number of seats.
    """
    own = _agreed(agreed, interval, currency)
    if own is None and (not plan.is_sold or not plan.prices):
        raise Invalid(f"The plan {plan.name} is not sold.", extra={"field": "plan"})
    price = own or plan.price(interval, currency)
    of_one = Terms(
        plan=plan.name,
        interval=interval,
        amount_minor=price.amount_minor,
        currency=currency,
        credits_minor=plan.credits_minor,
        credits_price_minor=plan.for_credits_minor(price),
        price_id=price.price_id,
        is_agreed=own is not None,
        net_days=net_days,
    )
    _check_seats(plan, price.amount_minor, seats)
    return of_one if seats is None else of_one.with_seats(seats)


def _agreed(agreed: Sequence[PlanPrice], interval: Interval, currency: str) -> PlanPrice | None:
    return next((each for each in agreed if (each.interval, each.currency) == (interval, currency)), None)


def _check_seats(plan: Plan, of_one_minor: int, seats: int | None) -> None:
    if not plan.is_per_seat:
        if seats is not None:
            raise Invalid(f"The plan {plan.name} is not sold by the seat. Leave seats out.", extra={"field": "seats"})
        return
    most = min(plan.seats or MAX_SEATS, MAX_SEATS, MAX_AMOUNT_MINOR // of_one_minor)
    if seats is None or not 0 < seats <= most:
        raise Invalid(
            f"The plan {plan.name} is sold by the seat. Send seats, from 1 to {most}.", extra={"field": "seats"}
        )


def terms_of_change(
    held: Terms, plan: Plan, interval: Interval | None, agreed: Sequence[PlanPrice] = (), *, seats: int | None = None
) -> Terms:
    """Return the terms after a change; omitted values and the collection method stay.

    A change of seats keeps the subscription's price, even if the plan is not sold any more.

    Raises:
        Invalid: as in `terms_of`.
    """
    interval = interval or held.interval
    if plan.is_per_seat and seats is None:
        seats = held.seats
    is_same = (plan.name, interval) == (held.plan, held.interval) and _agreed(agreed, interval, held.currency) is None
    if is_same and seats is not None and held.seats is not None and seats != held.seats:
        _check_seats(plan, held.unit_minor, seats)
        return held.with_seats(seats)
    return terms_of(plan, interval, held.currency, agreed, net_days=held.net_days, seats=seats)


def seats_of(plan: Plan, terms: Terms | None) -> int | None:
    """Return the number of seats: those bought, or those included in the plan; None if unlimited."""
    bought = None if terms is None or terms.plan != plan.name else terms.seats
    return plan.seats if bought is None else bought


def require_seats(plan: Plan, terms: Terms, people: int) -> None:
    """Refuse terms with fewer seats than are in use.

    Raises:
        SubscriptionRefused: `subscription.seats_in_use`.
    """
    seats = seats_of(plan, terms)
    if seats is not None and people > seats:
        how = "would have" if terms.seats is not None else "has"
        raise SubscriptionSeatsInUse(
            f"{people} people have keys, and the plan {plan.name} {how} {seats} seats. Revoke keys first.",
            extra={"limit": seats, "used": people, "plan": plan.name},
        )
