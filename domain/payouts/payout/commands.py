"""Commands and events of a payout: pure functions from the current state to an `Outcome`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from domain.common.errors import Conflict, WrongPayoutState
from domain.payouts.payout.state import FINAL, RECEIPT_WINDOW, WORKFLOW, Outcome, Payout, PayoutStatus

S = PayoutStatus
#: Pauses between lookups of a payout that may have been sent, and between retries for lack of funds, as providers make
#: money available on certain days. The last one is repeated.
LOOKUP_INTERVALS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 43_200, 86_400))
RETRY_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 360, 1440))
#: Pauses between looks whether a case still holds the earnings. The last one is repeated.
HELD_INTERVALS = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 360))
#: How long a provider may still be processing a request without a response; nothing is returned to the earnings before.
MAX_PROCESSING_TIME = timedelta(hours=1)
#: How long the payout waits for the platform's balance before it is returned to the earnings.
MAX_WAIT_FOR_FUNDS = timedelta(days=30)
#: The pause between an increase of the provider's balance and the retry: such events come in bursts, and one retry is
#: enough for all of a minute.
FUNDS_RETRY_DELAY = timedelta(minutes=1)
#: The number of payouts that one event wakes, and the pause between their retries: the oldest ones come first, and the
#: provider does not get all requests at once.
MAX_WOKEN_PAYOUTS = 50
FUNDS_RETRY_SPACING = timedelta(seconds=1)
#: A payout that is retried within this time anyway is not woken, so that an event does not postpone a retry.
SOON_ANYWAY = FUNDS_RETRY_DELAY + MAX_WOKEN_PAYOUTS * FUNDS_RETRY_SPACING


def with_receipt(outcome: Outcome, command_id: str) -> Outcome:
    """Number the event and remember its command."""
    before = outcome.payout
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, payout=replace(before, version=before.version + 1, receipts=receipts))


def request_content(currency: str | None, amount_minor: int | None) -> dict[str, object]:
    """Return the content of a request, for comparison with a repeated command."""
    return {"asked_minor": amount_minor, "asked_currency": currency}


def requested(payout: Payout, *, actor: str, asked: Mapping[str, object]) -> Outcome:
    """Open the payout; this event takes its amount from the earnings."""
    return Outcome(payout=payout, event="requested", actor=actor, details=dict(asked))


def sent(payout: Payout, *, transfer_ref: str) -> Outcome:
    """Record that the provider has sent the payout."""
    _require_open(payout)
    after = replace(payout, status=S.PAID, transfer_ref=transfer_ref, next_at=None, tries=0)
    return Outcome(payout=after, event="paid", actor=WORKFLOW, details={"transfer_ref": transfer_ref})


def funds_short(payout: Payout, now: datetime) -> Outcome:
    """Wait for the platform's balance at the provider; nothing was sent."""
    _require_open(payout)
    if payout.gives_up_at is not None and now >= payout.gives_up_at:
        return failed(payout, code="payout.no_funds", detail="The platform's balance at the provider stayed short.")
    # The provider remembers its refusal under the key of this attempt.
    again = replace(payout, attempt=payout.attempt + 1, unanswered_at=None)
    return _schedule_retry(again, S.WAITING_FOR_FUNDS, now, payout.gives_up_at or now + MAX_WAIT_FOR_FUNDS)


def held(payout: Payout, now: datetime, *, until: datetime, case_id: str) -> Outcome:
    """Wait because a case holds the earnings, at the latest until a time; nothing was sent by this attempt."""
    _require_open(payout)
    tries = payout.tries + 1
    pause = HELD_INTERVALS[min(tries, len(HELD_INTERVALS)) - 1]
    after = replace(payout, tries=tries, next_at=max(now, min(until, now + pause)))
    details: dict[str, object] = {"case_id": case_id, "until": until.isoformat()}
    return Outcome(payout=after, event="held", actor=WORKFLOW, details=details)


def unanswered(payout: Payout, now: datetime, *, code: str | None = None, detail: str | None = None) -> Outcome:
    """Schedule a lookup at the provider: the payout may have been sent.

    `code` and `detail` describe the other transfer that the provider has under the key, if any; the event records
    them.
    """
    _require_open(payout)
    later = _schedule_retry(replace(payout, unanswered_at=now), S.UNKNOWN, now, payout.gives_up_at)
    if code is None:
        return later
    return replace(later, details={**later.details, "code": code, "detail": detail})


def refused(payout: Payout, now: datetime, *, code: str, detail: str) -> Outcome:
    """Return the payout to the earnings because it was refused, unless an earlier attempt may still succeed.

    Bursar may refuse it without a call to the provider, which proves nothing about an earlier attempt whose response
    was lost.
    """
    if payout.status is not S.UNKNOWN:
        return failed(payout, code=code, detail=detail)
    since = payout.unanswered_at or now
    if now >= since + MAX_PROCESSING_TIME:
        return failed(payout, code=code, detail=detail)
    later = _schedule_retry(replace(payout, unanswered_at=since), S.UNKNOWN, now, payout.gives_up_at)
    return replace(later, details={**later.details, "code": code, "detail": detail})


def failed(payout: Payout, *, code: str, detail: str, actor: str = WORKFLOW) -> Outcome:
    """Return the payout to the earnings: it was not and will not be sent."""
    _require_open(payout)
    after = replace(payout, status=S.FAILED, failure_code=code, failure=detail, next_at=None, tries=0)
    return Outcome(payout=after, event="failed", actor=actor, details={"code": code, "detail": detail})


def given_up(payout: Payout, *, actor: str, reason: str) -> Outcome:
    """Fail the payout, on an operator's statement that the provider has not sent it.

    Raises:
        WrongPayoutState: it neither waits for funds nor has an unknown outcome.
    """
    if payout.status not in {S.WAITING_FOR_FUNDS, S.UNKNOWN}:
        raise _wrong_state(payout, "given up")
    outcome = failed(payout, code="payout.given_up", detail=reason or "An operator gave it up.", actor=actor)
    return replace(outcome, event="given_up")


def retried_now(payout: Payout, now: datetime, *, actor: str) -> Outcome:
    """Retry the payout, or look it up, now.

    Raises:
        WrongPayoutState: it has ended.
    """
    _require_open(payout)
    return Outcome(payout=replace(payout, next_at=now), event="look_requested", actor=actor)


def funds_available(payout: Payout, now: datetime, *, place: int, event_id: str) -> Outcome:
    """Retry the payout soon, because the platform's balance at the provider has grown.

    Args:
        payout: the current state.
        now: when the provider reported it.
        place: the number of older payouts that the same event wakes.
        event_id: the provider's id of the event.

    Raises:
        WrongPayoutState: it does not wait for funds, or is retried soon anyway.
    """
    if payout.status is not S.WAITING_FOR_FUNDS or payout.next_at is None or payout.next_at <= now + SOON_ANYWAY:
        raise _wrong_state(payout, "sent sooner")
    after = replace(
        payout, next_at=now + FUNDS_RETRY_DELAY + FUNDS_RETRY_SPACING * max(0, min(place, MAX_WOKEN_PAYOUTS))
    )
    return Outcome(payout=after, event="funds_available", actor=WORKFLOW, details={"event_id": event_id})


def _schedule_retry(payout: Payout, status: PayoutStatus, now: datetime, gives_up_at: datetime | None) -> Outcome:
    tries = payout.tries + 1 if payout.status is status else 1
    pauses = RETRY_INTERVALS if status is S.WAITING_FOR_FUNDS else LOOKUP_INTERVALS
    pause = pauses[min(tries, len(pauses)) - 1]
    after = replace(payout, status=status, tries=tries, next_at=now + pause, gives_up_at=gives_up_at)
    return Outcome(payout=after, event=status.value, actor=WORKFLOW, details={"tries": tries})


def _require_open(payout: Payout) -> None:
    if payout.status in FINAL:
        raise _wrong_state(payout, "changed")


def _wrong_state(payout: Payout, what: str) -> Conflict:
    return WrongPayoutState(
        f"A payout that is {payout.status.value} cannot be {what}.", extra={"state": payout.status.value}
    )
