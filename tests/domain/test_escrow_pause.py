"""When a release by time waits for a suspended payee, and for how long."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.escrow.pause import STEP, extended, extended_until
from domain.escrow.state import Escrow, EscrowStatus
from domain.organization import OrganizationStatus, TimedExits
from tests.support.escrows import T0, TERMS

LONGEST = timedelta(days=30)


def until(
    escrow: Escrow,
    now: datetime,
    payee: OrganizationStatus = OrganizationStatus.SUSPENDED,
    exits: TimedExits = TimedExits.PAUSE,
    since: datetime = T0,
) -> datetime | None:
    return extended_until(escrow, payee=payee, timed_exits=exits, changed_at=since, longest=LONGEST, now=now)


@pytest.fixture
def escrow() -> Escrow:
    return Escrow(
        terms=TERMS,
        status=EscrowStatus.DELIVERED,
        version=3,
        opened_at=T0,
        updated_at=T0,
        review_by=T0 + timedelta(days=3),
    )


def test_release_goes_on_unless_it_was_paused(escrow: Escrow) -> None:
    assert escrow.review_by
    assert until(escrow, escrow.review_by, exits=TimedExits.CONTINUE) is None


def test_review_is_extended_by_a_day_at_a_time_and_never_beyond_the_longest_pause(escrow: Escrow) -> None:
    agreed = escrow.review_by
    assert agreed
    now, ends = agreed, []
    while (end := until(escrow, now)) is not None:
        escrow = extended(escrow, end).escrow
        assert escrow.review_extended_from == agreed
        ends.append(now := end)
    assert ends == [agreed + STEP * day for day in range(1, 31)]


def test_release_comes_a_day_after_the_payee_was_resumed(escrow: Escrow) -> None:
    assert escrow.review_by
    resumed = escrow.review_by - timedelta(hours=1)
    assert until(escrow, escrow.review_by, OrganizationStatus.ACTIVE, since=resumed) == resumed + STEP
    assert until(escrow, resumed + STEP, OrganizationStatus.ACTIVE, since=resumed) is None


def test_suspending_again_does_not_begin_the_longest_pause_anew(escrow: Escrow) -> None:
    assert escrow.review_by
    paused = replace(escrow, review_by=escrow.review_by + LONGEST, review_extended_from=escrow.review_by)
    assert until(paused, paused.review_by, since=paused.review_by) is None
