"""Rotation of secrets: the schedule, and the steps of replacing a value. Pure.

A new value is stored as a pending version, set at the target, tested and promoted. The previous version stays usable
for a grace period, and is then revoked. Every step names the number of its version, so that a repetition has no effect.
A failed step is rolled back: first the target gets the current value again, and only then is the pending version
destroyed, so that the target always works with a stored value. The next attempt creates a new value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.common.agenda import Wait
from domain.common.errors import Conflict, Invalid, RotationUnderWay
from domain.common.text import as_markdown

#: Maximum length of a stored failure detail, in characters.
MAX_DETAIL = 500
#: Minimum time between two rotations.
MIN_INTERVAL = timedelta(hours=1)
#: Pauses before a failed rotation is retried: the first one, which doubles, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(days=1)
#: Pause before a failed rollback is retried.
ROLL_BACK_RETRY = timedelta(minutes=15)
#: Maximum number of concurrent steps of an organization at targets, in a process.
MAX_CONCURRENT_STEPS = 3
#: Time limit of an attempt of a step, during which its request may be in flight.
ATTEMPT_TIMEOUT = timedelta(minutes=2)


class RotatorName(StrEnum):
    """Rotator, which replaces the value at the target."""

    BURSAR = "bursar"
    POSTGRES = "postgres"
    HTTP = "http"
    MANUAL = "manual"


class RotationStatus(StrEnum):
    """State of a rotation: its last completed step."""

    IDLE = "idle"
    WAITING = "waiting"
    CREATED = "created"
    APPLIED = "applied"
    TESTED = "tested"
    PROMOTED = "promoted"
    FAILED = "failed"


#: States with a pending version.
UNDER_WAY = frozenset({RotationStatus.CREATED, RotationStatus.APPLIED, RotationStatus.TESTED, RotationStatus.FAILED})


class RotationAction(StrEnum):
    """Step that is due."""

    ASK = "ask"
    CREATE = "create"
    APPLY = "apply"
    TEST = "test"
    PROMOTE = "promote"
    REVOKE = "revoke"
    ROLL_BACK = "roll_back"
    REPORT = "report"


#: Steps that call the target.
_CALLING = frozenset({RotationAction.APPLY, RotationAction.TEST, RotationAction.REVOKE, RotationAction.ROLL_BACK})


class RotationFailed(Conflict):
    """The target refused a step permanently."""

    code = "secret.rotation_failed"


class TargetRefused(RotationFailed):
    """The target refused a step. It is retried within the step's time limit: a new value may take a moment to work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPlan:
    """Schedule and target of a rotation.

    Attributes:
        rotator: the rotator.
        every: the interval of rotations.
        grace: the grace period, in which the previous version stays usable.
        deadline: the delay after which a rotation counts as overdue.
        target: parameters of the rotator.
    """

    rotator: RotatorName
    every: timedelta
    grace: timedelta
    deadline: timedelta
    target: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RotationPlan":
        rotator = RotatorName(document["rotator"])
        return cls(
            rotator=rotator,
            every=timedelta(seconds=document["every_seconds"]),
            grace=timedelta(seconds=document["grace_seconds"]),
            deadline=timedelta(seconds=document["deadline_seconds"]),
            target=document.get(rotator.value) or {},
        )

    def __post_init__(self) -> None:
        """Refuse a schedule in which rotations could overlap."""
        if self.every < MIN_INTERVAL:
            raise Invalid("A secret can be replaced every hour at most.", extra={"field": "rotation"})
        if self.grace >= self.every:
            raise Invalid(
                "The grace period must be shorter than the interval of rotations.", extra={"field": "rotation"}
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """State of a rotation.

    Attributes:
        status: the last completed step.
        number: of the pending or last promoted version; 0 before the first.
        replaced: the number of the replaced version.
        since: the last replacement, or the start of the schedule.
        next_at: idle: the start of the next rotation; promoted: the end of the grace period; failed: the next attempt
            to roll back.
        grace: the grace period of this rotation; None for the plan's.
        asked: whether an immediate rotation was requested.
        failures: failed attempts since the last success.
        detail: the reason of the last failure.
        reported: whether an overdue alert was raised.
    """

    plan: RotationPlan
    since: datetime
    next_at: datetime
    status: RotationStatus = RotationStatus.IDLE
    number: int = 0
    replaced: int = 0
    grace: timedelta | None = None
    asked: bool = False
    failures: int = 0
    detail: str | None = None
    reported: bool = False

    @property
    def due_at(self) -> datetime:
        return self.since + self.plan.every

    @property
    def overdue_at(self) -> datetime:
        return self.due_at + self.plan.deadline


def scheduled(plan: RotationPlan, now: datetime) -> Rotation:
    """Return the initial state of a schedule."""
    return Rotation(plan=plan, since=now, next_at=now + plan.every)


def planned(held: Rotation, plan: RotationPlan) -> Rotation:
    """Replace the plan.

    Raises:
        RotationUnderWay: the new plan's rotator could not finish the rotation under way.
    """
    _check(held, RotationStatus.IDLE, RotationStatus.WAITING)
    after = replace(held, plan=plan, status=RotationStatus.IDLE, reported=False)
    return replace(after, next_at=held.next_at if held.failures else after.due_at)


def agenda(held: Rotation, now: datetime) -> RotationAction | Wait:
    """Return the due step, or the time until which nothing is due."""
    if not held.reported and now >= held.overdue_at:
        return RotationAction.REPORT
    step = _STEPS.get(held.status)
    if step is not None:
        return step
    if held.status is not RotationStatus.WAITING and (held.asked or now >= held.next_at):
        return _due(held)
    if held.status is RotationStatus.WAITING:
        # Nothing else happens automatically; the wait still ends, to read the books again.
        return Wait(until=max(held.overdue_at, now + timedelta(days=1)), why="a person must send the new value")
    until = held.next_at if held.reported else min(held.next_at, held.overdue_at)
    return Wait(until=until, why=_WHY[held.status])


_STEPS = {
    RotationStatus.CREATED: RotationAction.APPLY,
    RotationStatus.APPLIED: RotationAction.TEST,
    RotationStatus.TESTED: RotationAction.PROMOTE,
}
_WHY = {
    RotationStatus.IDLE: "the next rotation is due",
    RotationStatus.PROMOTED: "the grace period of the previous version ends",
    RotationStatus.FAILED: "roll back the target again",
}


def waits_for_target(held: Rotation, step: RotationAction) -> bool:
    """Return whether a step calls a host that the organization chose."""
    return step in _CALLING and held.plan.rotator in {RotatorName.HTTP, RotatorName.POSTGRES}


def _due(held: Rotation) -> RotationAction:
    if held.status is RotationStatus.PROMOTED:
        return RotationAction.REVOKE
    if held.status is RotationStatus.FAILED:
        return RotationAction.ROLL_BACK
    return RotationAction.ASK if held.plan.rotator is RotatorName.MANUAL else RotationAction.CREATE


# Transitions: each is refused unless the state before it holds ------------------------------------------------------


def awaiting_value(held: Rotation) -> Rotation:
    """Wait for a person to set a value at the target and send it."""
    _check(held, RotationStatus.IDLE)
    return replace(held, status=RotationStatus.WAITING, asked=False)


def created(held: Rotation, *, number: int, replaced: int) -> Rotation:
    """Record the pending version."""
    _check(held, RotationStatus.IDLE)
    return replace(held, status=RotationStatus.CREATED, number=number, replaced=replaced, asked=False)


def supplied(held: Rotation, *, number: int, replaced: int, grace: timedelta | None) -> Rotation:
    """Record a pending version whose value a person has set at the target."""
    _check(held, RotationStatus.WAITING, RotationStatus.IDLE)
    if held.plan.rotator is not RotatorName.MANUAL:
        raise Invalid(
            f"The rotator {held.plan.rotator.value} makes the new value itself. Leave value out.",
            extra={"field": "value"},
        )
    return replace(
        held, status=RotationStatus.TESTED, number=number, replaced=replaced, grace=grace or held.grace, asked=False
    )


def applied(held: Rotation) -> Rotation:
    """Record that the new value is set at the target."""
    _check(held, RotationStatus.CREATED)
    return replace(held, status=RotationStatus.APPLIED)


def tested(held: Rotation) -> Rotation:
    """Record that the new value works."""
    _check(held, RotationStatus.APPLIED)
    return replace(held, status=RotationStatus.TESTED)


def promoted(held: Rotation, now: datetime) -> Rotation:
    """Promote the pending version; the previous one stays usable for the grace period."""
    _check(held, RotationStatus.TESTED)
    grace = held.plan.grace if held.grace is None else held.grace
    return replace(
        held,
        status=RotationStatus.PROMOTED,
        since=now,
        next_at=now + grace,
        grace=None,
        failures=0,
        detail=None,
        reported=False,
    )


def revoked(held: Rotation) -> Rotation:
    """Record the revocation of the previous version; the next rotation is scheduled."""
    _check(held, RotationStatus.PROMOTED)
    return replace(held, status=RotationStatus.IDLE, next_at=held.due_at, failures=0, detail=None)


def failed(held: Rotation, detail: str, over_at: datetime) -> Rotation:
    """Fail a step: roll back, or retry after a pause if there is nothing to roll back.

    A pending version that cannot be rolled back is kept, because the target may work with no other value. The last
    attempt of the step is over at `over_at`: the rollback starts later, because a late request could undo it.
    """
    after = replace(held, failures=held.failures + 1, detail=detail[:MAX_DETAIL], asked=False)
    if held.status in _STEPS:
        return replace(after, status=RotationStatus.FAILED, next_at=over_at)
    again = ROLL_BACK_RETRY if held.status is RotationStatus.FAILED else _pause(after)
    return replace(after, next_at=over_at + again)


def stopped(held: Rotation, why: str, now: datetime) -> Rotation:
    """Abort the rotation on the owner's request, and roll back the target.

    Raises:
        RotationUnderWay: no rotation is under way, or a person has set the value at the target, which is not rolled
            back.
    """
    if held.status in _STEPS and held.plan.rotator is RotatorName.MANUAL:
        raise RotationUnderWay(
            "A person has set the value at the target already, so it will come into use. Send another one afterwards.",
            extra={"state": held.status.value},
        )
    if held.status not in _STEPS:
        raise RotationUnderWay(
            f"The rotation is {held.status.value}, and no new value is being set.", extra={"state": held.status.value}
        )
    return failed(held, why, now + ATTEMPT_TIMEOUT)


def rolled_back(held: Rotation, now: datetime) -> Rotation:
    """Record the rollback and the destruction of the pending version; a new value follows after a pause."""
    _check(held, RotationStatus.FAILED)
    return replace(held, status=RotationStatus.IDLE, next_at=now + _pause(held), asked=False)


def given_up(held: Rotation, now: datetime) -> Rotation:
    """End a failed rollback or revocation that a person has completed; the caller destroys the version.

    Raises:
        RotationUnderWay: nothing has failed, or a request of the failed step may be in flight.
    """
    if held.status is RotationStatus.FAILED and now < held.next_at <= now + ATTEMPT_TIMEOUT:
        raise RotationUnderWay(
            "A request of the last attempt may still be on its way. Try again in two minutes.",
            extra={"state": held.status.value},
        )
    if held.failures and held.status in {RotationStatus.FAILED, RotationStatus.PROMOTED}:
        return replace(held, next_at=now)
    raise RotationUnderWay(
        f"The rotation is {held.status.value}, and nothing of it has failed.", extra={"state": held.status.value}
    )


def ended_early(held: Rotation, number: int, now: datetime) -> Rotation | None:
    """End the grace period of the previous version, because its owner destroys it: it is revoked first.

    Returns:
        None if the rotation does not need the version.

    Raises:
        RotationUnderWay: the target may work with this version only, or it is needed to revoke the previous one.
    """
    if number not in {held.number, held.replaced} or held.status not in UNDER_WAY | {RotationStatus.PROMOTED}:
        return None
    if held.status is RotationStatus.PROMOTED and number == held.replaced:
        return replace(held, next_at=now)
    why = (
        f"Version {number} is needed to revoke version {held.replaced}. Destroy that one first, and try again."
        if held.status is RotationStatus.PROMOTED
        else f"The rotation is {held.status.value}, and the target may work with no other value than version {number}. "
        "Wait until it is over, and try again."
    )
    raise RotationUnderWay(why, extra={"state": held.status.value})


def stored_by_hand(held: Rotation, now: datetime) -> Rotation | None:
    """Count a value stored by a person as a rotation; None if the rotator sets values itself."""
    if held.plan.rotator is not RotatorName.MANUAL or held.status not in {RotationStatus.IDLE, RotationStatus.WAITING}:
        return None
    return replace(scheduled(held.plan, now), number=held.number, replaced=held.replaced)


def reported(held: Rotation) -> Rotation:
    """Record the overdue alert."""
    return replace(held, reported=True)


def due_now(held: Rotation, *, grace: timedelta | None) -> Rotation:
    """Start the next rotation at once; a running grace period ends.

    Raises:
        RotationUnderWay: a rotation is under way.
        Invalid: a person must send the new value.
    """
    if held.plan.rotator is RotatorName.MANUAL:
        raise Invalid(
            "Set a new value at the target yourself, and send it as value: its rotator is manual.",
            extra={"field": "value"},
        )
    _check(held, RotationStatus.IDLE, RotationStatus.PROMOTED)
    return replace(held, asked=True, grace=held.grace if grace is None else grace)


def _pause(held: Rotation) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(held.failures - 1, 10)), LONGEST_PAUSE)


def _check(held: Rotation, *statuses: RotationStatus) -> None:
    if held.status not in statuses:
        raise RotationUnderWay(
            f"The rotation is {held.status.value}. Wait until it is over, and try again.",
            extra={"state": held.status.value},
        )


def wakes_at(held: Rotation, now: datetime) -> datetime:
    """Return the time of a run's next step."""
    item = agenda(held, now)
    return item.until if isinstance(item, Wait) else now


def details(path: str, held: Rotation) -> str:
    """Render the state for operators, without values."""
    lines = [f"**{held.status.value}** · {as_markdown(path)} by {held.plan.rotator.value}", ""]
    lines.append(f"- due by the schedule at {held.due_at:%Y-%m-%d %H:%M} UTC, every {held.plan.every}")
    if held.number:
        lines.append(f"- version {held.number} replaces version {held.replaced}")
    if held.reported:
        lines.append(f"- **overdue** since {held.overdue_at:%Y-%m-%d %H:%M} UTC")
    if held.failures:
        lines.append(f"- **failed** {held.failures} times in a row: {as_markdown(held.detail or '')}")
    if held.status is RotationStatus.FAILED or (held.failures and held.status is RotationStatus.PROMOTED):
        lines.append("- update of operators: `give_up` ends it, once a person has fixed the target")
    elif held.status in {RotationStatus.IDLE, RotationStatus.PROMOTED}:
        lines.append("- update of operators: `rotate` starts the next rotation at once")
    return "\n".join(lines)
