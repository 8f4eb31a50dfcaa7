"""Every due step of a payout is eventually executed, and a possibly sent one is looked up first."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from domain.common.agenda import Wait
from domain.common.errors import WrongPayoutState
from domain.payouts.payout import commands
from domain.payouts.payout.agenda import AgendaStep, agenda
from domain.payouts.payout.commands import (
    LOOKUP_INTERVALS,
    MAX_PROCESSING_TIME,
    MAX_WAIT_FOR_FUNDS,
    RETRY_INTERVALS,
    SOON_ANYWAY,
)
from domain.payouts.payout.state import FINAL, Outcome, Payout, PayoutStatus
from tests.domain.test_payout_funds import ASKED, NOW

S = PayoutStatus
#: What others do, at any time: news of funds in the place of an older payout or of the last, and operators' signals.
NOISE = ("funds", "funds for others", "look", "give up")
#: What the provider answers to a try or a look that moves no money.
ANSWERS = ("short", "unanswered")
#: What ends a payout, unless a try without an answer may still arrive.
REFUSAL = "refused"
#: The longest that nothing is tried.
LONGEST = max(*LOOKUP_INTERVALS, *RETRY_INTERVALS) + SOON_ANYWAY


def happens(payout: Payout, name: str, now: datetime) -> Payout:
    """Let something happen to a payout; what is refused changes nothing."""
    with suppress(WrongPayoutState):
        return commands.with_receipt(outcome(payout, name, now), f"{name}:{payout.version}").payout
    return payout


def outcome(payout: Payout, name: str, now: datetime) -> Outcome:
    match name:
        case "short":
            return commands.funds_short(payout, now)
        case "unanswered":
            return commands.unanswered(payout, now)
        case "refused":
            return commands.refused(payout, now, code="c", detail="d")
        case "funds":
            return commands.funds_available(payout, now, place=0, event_id="evt_1")
        case "funds for others":
            return commands.funds_available(payout, now, place=10**6, event_id="evt_1")
        case "look":
            return commands.retried_now(payout, now, actor="operator:kim")
        case _:
            return commands.given_up(payout, actor="operator:kim", reason="")


@st.composite
def reachable(draw: st.DrawFn) -> tuple[Payout, datetime]:
    """A payout after any answers and any commands, and the time of the last one."""
    payout, now = ASKED, NOW
    for name, minutes in draw(
        st.lists(st.tuples(st.sampled_from([*ANSWERS, *NOISE, REFUSAL]), st.integers(0, 3 * 24 * 60)), max_size=8)
    ):
        now += timedelta(minutes=minutes)
        payout = happens(payout, name, now)
    return payout, now


@given(
    reachable(),
    st.lists(st.tuples(st.sampled_from(NOISE[:3]), st.floats(0, 1)), max_size=12),
    st.lists(st.sampled_from(ANSWERS), min_size=6, max_size=6),
)
def test_every_due_step_is_eventually_executed(found, noise, answers):
    payout, now = found
    tried = now
    while answers:
        item = agenda(payout, now)
        if item is None:
            # Given up, or its time for funds is over.
            assert payout.status in FINAL
            return
        if isinstance(item, Wait):
            assert item.until > now
            if noise:
                # It comes somewhere in the wait, and puts off nothing.
                name, share = noise.pop()
                now += (item.until - now) * share
                payout = happens(payout, name, now)
                assert payout.next_at is not None
                assert payout.next_at <= max(item.until, now)
            else:
                now = item.until
            continue
        assert item is (AgendaStep.LOOK_UP if payout.status is S.UNKNOWN else AgendaStep.SEND)
        assert now - tried <= LONGEST
        tried, before = now, payout
        payout = happens(payout, answers.pop(), now)
        assert payout.version > before.version


@given(reachable(), st.sampled_from([timedelta(0), timedelta(days=1), timedelta(days=60)]))
def test_payout_without_funds_is_returned_and_an_unknown_one_is_looked_up(found, late):
    payout, now = found
    now += late
    if payout.status not in FINAL:
        ends = max(now, payout.gives_up_at or now + MAX_WAIT_FOR_FUNDS) + LONGEST
        while (item := agenda(payout, now)) is not None:
            assert now <= ends
            if isinstance(item, Wait):
                now = item.until
            else:
                # A look that finds nothing sends again, and is told that there are no funds.
                payout = happens(payout, "short", now)
        assert (payout.status, payout.failure_code) == (S.FAILED, "payout.no_funds")
    unknown = commands.unanswered(replace(ASKED, gives_up_at=NOW), now).payout
    for _ in range(3 * len(LOOKUP_INTERVALS)):
        item = agenda(unknown, now)
        assert isinstance(item, Wait)
        now = item.until
        assert agenda(unknown, now) is AgendaStep.LOOK_UP
        unknown = happens(unknown, "unanswered", now)


@given(reachable(), st.lists(st.integers(0, 90), max_size=8))
def test_payout_that_may_still_arrive_is_not_returned_after_a_refused_retry(found, minutes):
    payout, now = found
    if payout.status in FINAL:
        return
    payout, since = happens(payout, "unanswered", now), now
    for each in minutes:
        now += timedelta(minutes=each)
        payout = happens(payout, REFUSAL, now)
        assert (payout.status is S.FAILED) == (now - since >= MAX_PROCESSING_TIME)
        if payout.status is S.FAILED:
            return


def test_payout_that_was_unknown_before_this_was_noted_counts_from_its_next_refusal():
    older = replace(ASKED, status=S.UNKNOWN, tries=3, next_at=NOW)
    refused = happens(older, REFUSAL, NOW)
    assert (refused.status, refused.unanswered_at) == (S.UNKNOWN, NOW)
    assert happens(refused, REFUSAL, NOW + MAX_PROCESSING_TIME).status is S.FAILED


@given(reachable())
def test_end_has_nothing_due_and_everything_else_has(found):
    payout, now = found
    assert (agenda(payout, now) is None) == (payout.status in FINAL)
