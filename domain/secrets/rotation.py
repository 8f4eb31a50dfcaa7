"""Rotation of a secret: when its value is replaced, and step by step how. Pure.

A value is made and kept as a pending version, set at the target, tested and promoted. The version before it stays
usable for a grace, and is then revoked. Every step carries the number of the version that it is about, so a step that
is repeated does nothing new. A step that fails is rolled back: the target is put back first, and only then is the
pending version destroyed, so the target works with a kept value at every moment. The next try makes a new value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.common.agenda import Wait
from domain.common.errors import Conflict, Invalid, RotationUnderWay
from domain.common.text import as_markdown

#: The longest detail of a failure that is kept, in characters.
MAX_DETAIL = 500
#: The least time between two rotations.
MIN_INTERVAL = timedelta(hours=1)
#: When a failed rotation is tried again: the first pause, which doubles, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(days=1)
#: When it is tried again to put the target back.
ROLL_BACK_RETRY = timedelta(minutes=15)
#: How many steps of one organization wait for their targets at once, in a process.
MAX_CONCURRENT_STEPS = 3
#: The time limit of one attempt of a step: until then a request of it may be on its way.
ATTEMPT_TIMEOUT = timedelta(minutes=2)


class RotatorName(StrEnum):
    """What replaces the value at the target."""

    BURSAR = "bursar"
    POSTGRES = "postgres"
    HTTP = "http"
    MANUAL = "manual"


class RotationStatus(StrEnum):
    """Where a rotation stands: what was done last."""

    IDLE = "idle"
    WAITING = "waiting"
    CREATED = "created"
    APPLIED = "applied"
    TESTED = "tested"
    PROMOTED = "promoted"
    FAILED = "failed"


#: The status in which there is a pending version.
UNDER_WAY = frozenset({RotationStatus.CREATED, RotationStatus.APPLIED, RotationStatus.TESTED, RotationStatus.FAILED})


class RotationAction(StrEnum):
    """What is due."""

    ASK = "ask"
    CREATE = "create"
    APPLY = "apply"
    TEST = "test"
    PROMOTE = "promote"
    REVOKE = "revoke"
    ROLL_BACK = "roll_back"
    REPORT = "report"


#: The steps that call the target.
_CALLING = frozenset({RotationAction.APPLY, RotationAction.TEST, RotationAction.REVOKE, RotationAction.ROLL_BACK})


class RotationFailed(Conflict):
    """The target refused a step, and would refuse it again."""

    code = "secret.rotation_failed"


class TargetRefused(RotationFailed):
    """The target refused a step. It is asked again within the time of the step: a new value may need a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPlan:
    """How a secret is rotated.

    Attributes:
        rotator: what replaces the value at the target.
        every: the time between two rotations.
        grace: for how long the version before stays usable.
        deadline: how late a rotation may be before it counts as overdue.
        target: what the rotator needs to know.
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
        """Refuse a schedule that would not let a rotation end before the next one."""
        if self.every < MIN_INTERVAL:
            raise Invalid("A secret can be replaced every hour at most.", extra={"field": "rotation"})
        if self.grace >= self.every:
            raise Invalid("The grace must be shorter than the time between two rotations.", extra={"field": "rotation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The whole state.

    Attributes:
        status: what was done last.
        number: of the version that is made or was promoted last; 0 before the first.
        replaced: the number of the version that it replaces.
        since: when the value was replaced last, or the schedule began.
        next_at: idle: when the next rotation begins; promoted: when the grace ends; failed: when it is tried again to
            put the target back.
        grace: of this rotation; None is the plan's.
        asked: whether somebody has asked for the next rotation to begin at once.
        failures: how many tries have failed since the last success.
        detail: why the last try has failed.
        reported: whether it was reported as overdue.
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
    """Begin the schedule of a secret that had none."""
    return Rotation(plan=plan, since=now, next_at=now + plan.every)


def planned(held: Rotation, plan: RotationPlan) -> Rotation:
    """Go on by another plan.

    Raises:
        RotationUnderWay: the other plan's rotator could not end what this one has begun.
    """
    _check(held, RotationStatus.IDLE, RotationStatus.WAITING)
    after = replace(held, plan=plan, status=RotationStatus.IDLE, reported=False)
    return replace(after, next_at=held.next_at if held.failures else after.due_at)


def agenda(held: Rotation, now: datetime) -> RotationAction | Wait:
    """Return what is done next, or until when nothing is due."""
    if not held.reported and now >= held.overdue_at:
        return RotationAction.REPORT
    step = _STEPS.get(held.status)
    if step is not None:
        return step
    if held.status is not RotationStatus.WAITING and (held.asked or now >= held.next_at):
        return _due(held)
    if held.status is RotationStatus.WAITING:
        # Nothing else happens by itself; a wait has an end all the same, and reads the books then.
        return Wait(until=max(held.overdue_at, now + timedelta(days=1)), why="a person has to send the new value")
    until = held.next_at if held.reported else min(held.next_at, held.overdue_at)
    return Wait(until=until, why=_WHY[held.status])


_STEPS = {
    RotationStatus.CREATED: RotationAction.APPLY,
    RotationStatus.APPLIED: RotationAction.TEST,
    RotationStatus.TESTED: RotationAction.PROMOTE,
}
_WHY = {
    RotationStatus.IDLE: "the next rotation is due",
    RotationStatus.PROMOTED: "the grace of the version before ends",
    RotationStatus.FAILED: "put the target back again",
}


def waits_for_target(held: Rotation, step: RotationAction) -> bool:
    """Return whether a step waits for a host that the organization chose."""
    return step in _CALLING and held.plan.rotator in {RotatorName.HTTP, RotatorName.POSTGRES}


def _due(held: Rotation) -> RotationAction:
    if held.status is RotationStatus.PROMOTED:
        return RotationAction.REVOKE
    if held.status is RotationStatus.FAILED:
        return RotationAction.ROLL_BACK
    return RotationAction.ASK if held.plan.rotator is RotatorName.MANUAL else RotationAction.CREATE


# Transitions: each is refused unless the state before it holds ------------------------------------------------------


def awaiting_value(held: Rotation) -> Rotation:
    """Wait for a person, who sets the value at the target and sends it."""
    _check(held, RotationStatus.IDLE)
    return replace(held, status=RotationStatus.WAITING, asked=False)


def created(held: Rotation, *, number: int, replaced: int) -> Rotation:
    """Have a pending version with the new value."""
    _check(held, RotationStatus.IDLE)
    return replace(held, status=RotationStatus.CREATED, number=number, replaced=replaced, asked=False)


def supplied(held: Rotation, *, number: int, replaced: int, grace: timedelta | None) -> Rotation:
    """Have a pending version with the value that a person has set at the target already."""
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
    """Have the new value set at the target."""
    _check(held, RotationStatus.CREATED)
    return replace(held, status=RotationStatus.APPLIED)


def tested(held: Rotation) -> Rotation:
    """Have seen the new value work."""
    _check(held, RotationStatus.APPLIED)
    return replace(held, status=RotationStatus.TESTED)


def promoted(held: Rotation, now: datetime) -> Rotation:
    """Make the pending version the current one; the one before stays usable for the grace."""
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
    """Have ended the version before; the next rotation is awaited."""
    _check(held, RotationStatus.PROMOTED)
    return replace(held, status=RotationStatus.IDLE, next_at=held.due_at, failures=0, detail=None)


def failed(held: Rotation, detail: str, over_at: datetime) -> Rotation:
    """Give up a step: what was begun is put back, and what has nothing to put back is tried again after a pause.

    A pending version that cannot be put back is kept, because the target may work with nothing else. The last attempt
    of the step is over at `over_at`: nothing is put back before, because a late request of the step would undo it.
    """
    after = replace(held, failures=held.failures + 1, detail=detail[:MAX_DETAIL], asked=False)
    if held.status in _STEPS:
        return replace(after, status=RotationStatus.FAILED, next_at=over_at)
    again = ROLL_BACK_RETRY if held.status is RotationStatus.FAILED else _pause(after)
    return replace(after, next_at=over_at + again)


def stopped(held: Rotation, why: str, now: datetime) -> Rotation:
    """Give up the value that is on its way, because its owner orders it; the target is put back.

    Raises:
        RotationUnderWay: no value is on its way, or a person has set it at the target, where nobody would put it back.
    """
    if held.status in _STEPS and held.plan.rotator is RotatorName.MANUAL:
        raise RotationUnderWay(
            "A person has set the value at the target already, so it comes into use. Then send another one.",
            extra={"state": held.status.value},
        )
    if held.status not in _STEPS:
        raise RotationUnderWay(
            f"The rotation is {held.status.value}, and no value is on its way.", extra={"state": held.status.value}
        )
    return failed(held, why, now + ATTEMPT_TIMEOUT)


def rolled_back(held: Rotation, now: datetime) -> Rotation:
    """Have put the target back and destroyed the pending version; a new value is made after a pause."""
    _check(held, RotationStatus.FAILED)
    return replace(held, status=RotationStatus.IDLE, next_at=now + _pause(held), asked=False)


def given_up(held: Rotation, now: datetime) -> Rotation:
    """End now what cannot be put back or revoked: a person has done it, and the caller destroys the version.

    Raises:
        RotationUnderWay: nothing has failed, or a request of the step that failed may still be on its way.
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
    """End the grace of the version before, because its owner destroys it; it is revoked now, and destroyed then.

    Returns:
        None where the rotation does not need the version.

    Raises:
        RotationUnderWay: the target may work with nothing but the version, or it is needed to revoke the one before.
    """
    if number not in {held.number, held.replaced} or held.status not in UNDER_WAY | {RotationStatus.PROMOTED}:
        return None
    if held.status is RotationStatus.PROMOTED and number == held.replaced:
        return replace(held, next_at=now)
    why = (
        f"Version {number} is needed to revoke version {held.replaced}. Destroy that one first, and try again."
        if held.status is RotationStatus.PROMOTED
        else f"The rotation is {held.status.value}, and the target may work with nothing but version {number}. Wait "
        "until it is over, and try again."
    )
    raise RotationUnderWay(why, extra={"state": held.status.value})


def stored_by_hand(held: Rotation, now: datetime) -> Rotation | None:
    """Count a value that a person has stored as the rotation; None where the rotator sets values at the target."""
    if held.plan.rotator is not RotatorName.MANUAL or held.status not in {RotationStatus.IDLE, RotationStatus.WAITING}:
        return None
    return replace(scheduled(held.plan, now), number=held.number, replaced=held.replaced)


def reported(held: Rotation) -> Rotation:
    """Have raised the alert that it is overdue."""
    return replace(held, reported=True)


def due_now(held: Rotation, *, grace: timedelta | None) -> Rotation:
    """Begin the next rotation at once; a grace that still runs is over.

    Raises:
        RotationUnderWay: a value is on its way.
        Invalid: a person has to send the new value.
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
    """Return when a run has something to do next."""
    item = agenda(held, now)
    return item.until if isinstance(item, Wait) else now


def details(path: str, held: Rotation) -> str:
    """Render the state for operators; values are in no message of the run."""
    lines = [f"**{held.status.value}** · {as_markdown(path)} by {held.plan.rotator.value}", ""]
    lines.append(f"- due by the schedule at {held.due_at:%Y-%m-%d %H:%M} UTC, every {held.plan.every}")
    if held.number:
        lines.append(f"- version {held.number} replaces version {held.replaced}")
    if held.reported:
        lines.append(f"- **overdue** since {held.overdue_at:%Y-%m-%d %H:%M} UTC")
    if held.failures:
        lines.append(f"- **failed** {held.failures} times in a row: {as_markdown(held.detail or '')}")
    if held.status is RotationStatus.FAILED or (held.failures and held.status is RotationStatus.PROMOTED):
        lines.append("- update of operators: `give_up` ends it, once a person has put the target right")
    elif held.status in {RotationStatus.IDLE, RotationStatus.PROMOTED}:
        lines.append("- update of operators: `rotate` begins the next rotation at once")
    return "\n".join(lines)
