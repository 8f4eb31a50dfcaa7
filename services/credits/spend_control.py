"""Opening, changing, freezing and closing spend controls, by owners and admins of an organization and by operators.

Every change is one version. It locks the row of the organization's credits, as every spend does, so it applies to all
spends after it. Earlier spends stay counted, even above a limit that was lowered.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.calendar import Window
from domain.common.errors import Invalid, NotFound, SpendControlExists
from domain.common.ids import uuid_id
from domain.common.money import CREDIT
from domain.credits.spend.control import (
    ControlKind,
    ControlStatus,
    ControlTerms,
    Limit,
    LimitTerms,
    NewControl,
    SubjectKind,
    limits_of,
)
from domain.messages.events import Event
from domain.messages.events.spend_control import spend_control_event
from ledger.controls import Controls, WrittenControl
from models.credits.spend_control import SpendControl, SpendControlVersion
from repositories.common.command import other_request, row_of_command
from repositories.credits import department as departments, spend_control as controls
from repositories.marketplace import agent as agents
from repositories.messages import event
from repositories.tenants import api_key as keys, audit
from runtime.database import driver_connection

#: The id of a run, chosen by the requests that spend for it.
RUN = re.compile(r"[\x21-\x7e]{1,200}")

_VERBS = {ControlStatus.FROZEN: "freeze", ControlStatus.ACTIVE: "unfreeze", ControlStatus.CLOSED: "close"}
#: The name of each kind in the audit trail.
_NOUNS = {ControlKind.LIMIT: "spend_control", ControlKind.BUDGET: "budget"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCommand:
    """A command to change a control: by whom, for which organization, when and why.

    `expected_version` is the version that the change was made for; None for any. `kind` is the control's.
    """

    actor: Actor
    org_id: str
    command_id: str
    at: datetime
    reason: str | None = None
    expected_version: int | None = None
    kind: ControlKind = ControlKind.LIMIT


async def create(
    session: AsyncSession, order: ControlCommand, new: NewControl, allows: ControlTerms, parent_id: UUID | None
) -> SpendControl:
    """Open a control, or return the one that its command opened.

    Raises:
        Invalid: the organization has no such subject, or no such parent.
    """
    if await row_of_command(session, SpendControlVersion, order.command_id) is None:
        # A repeated command returns its control, even if the subject was closed or revoked since.
        await _check_subject(session, order.org_id, new)
    wanted = {**new.columns(), **allows.columns(), "parent_id": None if parent_id is None else str(parent_id)}
    return await write(session, order, None, wanted, "open")


async def change(
    session: AsyncSession, order: ControlCommand, control_id: UUID, allows: ControlTerms, parent_id: UUID | None
) -> SpendControl:
    """Replace a control's limits and its parent.

    Raises:
        NotFound, Conflict, Invalid, IdempotencyConflict: as `ledger.controls.Controls.write`.
    """
    wanted = {**allows.columns(), "parent_id": None if parent_id is None else str(parent_id)}
    return await write(session, order, control_id, wanted, "change")


async def set_status(
    session: AsyncSession, order: ControlCommand, control_id: UUID, status: ControlStatus
) -> SpendControl:
    """Freeze a control, even out of term, unfreeze it, or close it for good.

    Raises:
        NotFound, Conflict, IdempotencyConflict: as `ledger.controls.Controls.write`.
    """
    return await write(session, order, control_id, {"status": status.value}, _VERBS[status])


async def limit_department(
    session: AsyncSession, order: ControlCommand, department_id: str, daily_minor: int | None, monthly_minor: int | None
) -> SpendControl | None:
    """Set a department's limits of a day and a month in credits; None removes a limit.

    The department's control is changed, keeping its other limits, or opened in UTC. These limits refuse spends, even if
    the control only alerted before. Returns None if there is no control and none is needed.

    Raises:
        NotFound: the organization has no such open department.
    """
    short = {Window.DAY: daily_minor, Window.MONTH: monthly_minor}
    made = await row_of_command(session, SpendControlVersion, order.command_id)
    if made is not None:
        return await _made_before(session, made, department_id, short)
    row = await departments.find(session, department_id, order.org_id)
    if row is None or row.closed_at is not None:
        raise NotFound(departments.MISSING)
    found = await controls.of_subject(session, order.org_id, SubjectKind.DEPARTMENT, department_id, CREDIT)
    if found is not None and not is_in_term(found, order.at):
        raise SpendControlExists(
            "The control of this department does not apply at this time. Change or close it first."
        )
    stored = () if found is None else limits_of(found.windows, found.amounts, found.uses, found.hard)
    there = {limit.window: limit for limit in stored}
    for window, amount in short.items():
        before = there.pop(window, Limit(window=window, amount_minor=amount))
        if amount is not None or before.uses is not None:
            hard = before.hard or amount is not None
            there[window] = Limit(window=window, amount_minor=amount, uses=before.uses, hard=hard)
    limits = tuple(there.values())
    if found is None:
        if not limits:
            return None
        new = NewControl(subject_kind=SubjectKind.DEPARTMENT, subject_id=department_id, asset=CREDIT)
        return await create(session, order, new, LimitTerms(limits=limits), None)
    wanted = LimitTerms(limits=limits).columns()
    changes = {name: wanted[name] for name in ("windows", "amounts", "uses", "hard")}
    return await write(session, replace(order, expected_version=found.version), found.id, changes, "change")


async def set_amount(
    session: AsyncSession, order: ControlCommand, control: SpendControl, window: Window, amount_minor: int
) -> SpendControl:
    """Set the amount of one window of a control, which keeps its other windows and its pools."""
    there = {each.window: each for each in limits_of(control.windows, control.amounts, control.uses, control.hard)}
    limit = replace(there.get(window, Limit(window=window, amount_minor=0)), amount_minor=amount_minor)
    wanted = LimitTerms(limits=tuple({**there, window: limit}.values())).columns()
    changes = {name: wanted[name] for name in ("windows", "amounts", "uses", "hard")}
    return await write(session, replace(order, expected_version=control.version), control.id, changes, "change")


def is_in_term(control: SpendControl, at: datetime) -> bool:
    """Return whether a time is within a control's term."""
    begun = control.starts_at is None or control.starts_at <= at
    return begun and (control.ends_at is None or at < control.ends_at)


async def _made_before(
    session: AsyncSession, made: SpendControlVersion, department_id: str, short: dict[Window, int | None]
) -> SpendControl:
    """Return the control that the command has already limited."""
    row = await controls.get(session, uuid_id("ctl", made.control_id))
    amounts = dict(zip(made.windows, made.amounts, strict=True))
    if row.subject_id != department_id or any(amounts.get(window) != amount for window, amount in short.items()):
        raise other_request()
    return row


async def write(
    session: AsyncSession, order: ControlCommand, control_id: UUID | None, wanted: dict[str, object], verb: str
) -> SpendControl:
    """Write one version of a control, with its audit entry and its event; once for each command.

    Raises:
        NotFound, Conflict, Invalid, IdempotencyConflict: as `ledger.controls.Controls.write`.
    """
    connection = await driver_connection(session)
    written: WrittenControl = await Controls(connection).write(
        org_id=order.org_id,
        control_id=control_id,
        expected_version=order.expected_version,
        wanted=wanted,
        by=order.actor.qualified(),
        reason=order.reason,
        command_id=order.command_id,
        at=order.at,
    )
    shown = uuid_id("ctl", written.control_id)
    if not written.replayed:
        details = {"version": written.version, "reason": order.reason}
        await audit.record(session, order.actor, f"{_NOUNS[order.kind]}.{verb}", shown, details, order.org_id)
    row = await controls.get(session, shown)
    if not written.replayed:
        before = await controls.status_before(session, row)
        await event.record(session, [_event_of(row, before, order.at)])
    return row


def _event_of(row: SpendControl, before: ControlStatus | None, at: datetime) -> Event:
    """Return the event of a control's newest version."""
    return spend_control_event(
        org_id=row.org_id,
        control_id=uuid_id("ctl", row.id),
        parent_id=None if row.parent_id is None else uuid_id("ctl", row.parent_id),
        subject=(SubjectKind(row.subject_kind), row.subject_id),
        currency=row.asset,
        before=before,
        status=ControlStatus(row.status),
        version=row.version,
        at=at,
    )


async def _check_subject(session: AsyncSession, org_id: str, new: NewControl) -> None:
    """Check that the organization has the subject of a control; otherwise nothing would count in it."""
    subject, found = new.subject_id, False
    match new.subject_kind:
        case SubjectKind.ORGANIZATION:
            found = subject == org_id
        case SubjectKind.DEPARTMENT:
            row = await departments.find(session, subject, org_id)
            found = row is not None and row.closed_at is None
        case SubjectKind.PROJECT:
            found = await departments.project_exists(session, org_id, subject)
        case SubjectKind.AGENT:
            with suppress(NotFound):
                found = (await agents.get(session, subject)).org_id == org_id
        case SubjectKind.KEY:
            with suppress(NotFound):
                key = await keys.get(session, subject)
                found = key.org_id == org_id and key.revoked_at is None
        case SubjectKind.RUN:
            found = RUN.fullmatch(subject) is not None
    if not found:
        raise Invalid(
            f"The organization has no such {new.subject_kind.value} that can spend.", extra={"field": "subject.id"}
        )
