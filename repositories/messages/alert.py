"""Alerts of operators and of organizations.

Everything needs a platform session, except `page`, `acknowledge`, `resolve_one` and `snooze`, which tenants use for
alerts that are shared with them. The states of an alert are in `domain.messages.alert.life`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, Update, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import AlertResolved, NotFound, OperatorsCase
from domain.common.ids import is_id, uuid_id
from domain.messages.alert.kinds import KINDS, severity_of
from domain.messages.alert.life import AlertStatus, Severity
from domain.messages.alert.rules import BUILT_IN
from models.marketplace.marketplace import MarketplacePurchase
from models.messages.alert import Alert
from models.payments.payment import PaymentRow
from repositories.common.batched import Writes
from repositories.common.listing import ListFilter, Listing, ListPage, Part

#: Recorded as who resolved an alert, if a booking has closed its case.
BOOKS = "books"


def key_of(
    kind: str, subject: str, *, org_id: str | None = None, rule_id: str | None = None, window: str | None = None
) -> str:
    """Name an alert by kind and subject, or by rule, organization, subject and window.

    A key is raised only once, so the key of a rule contains a window, and a new occurrence has another key.
    """
    of = [kind] if rule_id is None else [rule_id, *([org_id] if org_id else [])]
    return ":".join((*of, subject, *([window] if window is not None else [])))


async def raise_alert(
    session: AsyncSession,
    *,
    kind: str,
    subject: str,
    detail: str,
    org_id: str | None = None,
    key: str | None = None,
    shared: bool = False,
    for_operators: bool = True,
    severity: Severity | str | None = None,
    rule_id: str | None = None,
    window: str | None = None,
) -> bool:
    """Raise an alert, once for each key, and return whether it is new. A resolved key does not fire again.

    The key defaults to that of `key_of`, and the severity to that of the kind. With `shared` the organization sees it
    too; without `for_operators` only the organization does.
    """
    number = (await session.execute(select(func.uuidv7()))).scalar_one()
    raised = await session.execute(
        insert(Alert)
        .values(
            id=uuid_id("alr", number),
            key=key or key_of(kind, subject, org_id=org_id, rule_id=rule_id, window=window),
            kind=kind,
            subject=subject,
            detail=detail,
            severity=Severity(severity or severity_of(kind)).value,
            org_id=org_id,
            shared=shared,
            for_operators=for_operators,
            rule_id=rule_id,
            window=window,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Alert.id)
    )
    return raised.one_or_none() is not None


async def renew(session: AsyncSession, key: str, detail: str) -> None:
    """Change the detail of an alert that counts what happens in its window; it sends no further notifications."""
    await session.execute(update(Alert).where(Alert.key == key, Alert.detail != detail).values(detail=detail))


def _resolution(by: str) -> Update:
    # A resolved alert counts as acknowledged, so lists of unseen alerts test one column. It is never resolved before it
    # was acknowledged, which a transaction may have done that began later and locked the row first.
    return (
        update(Alert)
        .where(Alert.resolved_at.is_(None))
        .values(
            resolved_at=func.greatest(func.now(), Alert.acknowledged_at),
            resolved_by=by,
            acknowledged_at=func.coalesce(Alert.acknowledged_at, func.now()),
            acknowledged_by=func.coalesce(Alert.acknowledged_by, by),
        )
    )


async def resolve(session: Writes, key: str, by: str) -> None:
    """Resolve the alert of a key, because its case is closed."""
    await session.execute(_resolution(by).where(Alert.key == key))


#: What `close_cases` does, as a part of a larger statement.
CLOSE_CASES = f"""
    UPDATE alerts SET resolved_at = greatest(now(), acknowledged_at), resolved_by = '{BOOKS}',
        acknowledged_at = coalesce(acknowledged_at, now()), acknowledged_by = coalesce(acknowledged_by, '{BOOKS}')
    WHERE subject = {{subject}} AND kind = ANY({{kinds}}) AND resolved_at IS NULL
"""


async def close_cases(session: Writes, subject: str, kinds: Collection[str]) -> None:
    """Resolve the alerts of some kinds about a subject, because a booking has closed their cases."""
    await session.execute(_resolution(BOOKS).where(Alert.subject == subject, Alert.kind.in_(kinds)))


async def close_cases_of(session: Writes, subjects: Collection[str], kinds: Collection[str]) -> None:
    """Do what `close_cases` does for several subjects."""
    await session.execute(_resolution(BOOKS).where(Alert.subject.in_(subjects), Alert.kind.in_(kinds)))


async def close_other_dates(session: Writes, subject: str, kind: str, of: str, key: str) -> None:
    """Resolve the alerts of a kind about a subject whose keys begin with `of`, except the one with `key`."""
    query = _resolution(BOOKS).where(Alert.subject == subject, Alert.kind == kind, Alert.key != key)
    await session.execute(query.where(Alert.key.startswith(of, autoescape=True)))


async def last_raised(session: AsyncSession, kind: str, subject: str) -> datetime | None:
    """Return when an alert of a kind was raised last about a subject; None where there was none."""
    raised = select(func.max(Alert.created_at)).where(Alert.subject == subject, Alert.kind == kind)
    return await session.scalar(raised)


async def is_unresolved(session: AsyncSession, kind: str, subject: str) -> bool:
    query = select(Alert.id).where(Alert.kind == kind, Alert.subject == subject, Alert.resolved_at.is_(None))
    return await session.scalar(select(query.exists())) is True


async def resolved_among(session: AsyncSession, keys: Collection[str]) -> set[str]:
    query = select(Alert.key).where(Alert.key.in_(keys), Alert.resolved_at.is_not(None))
    return {*await session.scalars(query)}


async def unresolved_subjects(session: AsyncSession, kind: str, *, limit: int) -> Sequence[str]:
    """Return the distinct subjects of the unresolved alerts of a kind, oldest first."""
    query = select(Alert.subject).where(Alert.kind == kind, Alert.resolved_at.is_(None)).order_by(Alert.id)
    return list(dict.fromkeys(await session.scalars(query.limit(limit))))


async def close_other_windows(session: AsyncSession, kind: str, window: str) -> None:
    await session.execute(_resolution(BOOKS).where(Alert.kind == kind, Alert.window != window))


async def close_debts(session: AsyncSession, org_id: str, asset: str) -> None:
    """Resolve the alerts of an organization's debts in an asset, because it owes nothing of it any more."""
    goods_asset = PaymentRow.state["terms"]["purpose"]["goods_asset"].astext
    payments = select(PaymentRow.id).where(PaymentRow.id == Alert.subject, goods_asset == asset)
    sales = select(MarketplacePurchase.id).where(
        MarketplacePurchase.id == Alert.subject, MarketplacePurchase.currency == asset
    )
    await session.execute(
        _resolution(BOOKS)
        .where(Alert.org_id == org_id, Alert.kind == "payment.debt")
        .where(or_(payments.exists(), sales.exists()))
    )


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """How many alerts are not resolved, by kind and status; each is counted once."""

    of_operators: Mapping[tuple[str, str], int]
    of_organizations: Mapping[tuple[str, str], int]


#: The kind under which alerts of organizations' own rules are counted, because their names are unbounded.
OWN_RULE = "own_rule"
_OPEN = """
    SELECT for_operators, CASE WHEN for_operators OR kind = ANY ($1::text[]) THEN kind ELSE $2 END AS kind,
        CASE WHEN status = 'firing' AND CASE WHEN for_operators THEN snoozed_until ELSE org_snoozed_until END > now()
            THEN 'snoozed' ELSE status END AS status, count(*)
    FROM alerts WHERE resolved_at IS NULL GROUP BY 1, 2, 3
"""


async def open_by_kind(pool: "asyncpg.Pool[asyncpg.Record]") -> OpenAlerts:
    """Count the alerts that are not resolved, by kind and status; `snoozed` is one of these.

    The kind of an alert that a rule raised is the rule's name, or `OWN_RULE` for rules of organizations. Alerts for
    both operators and organizations count for operators only. It reads open alerts only. Needs the platform's role.
    """
    counts: dict[bool, dict[tuple[str, str], int]] = {True: {}, False: {}}
    for row in await pool.fetch(_OPEN, [*KINDS, *BUILT_IN], OWN_RULE):
        counts[row["for_operators"]][row["kind"], row["status"]] = row["count"]
    return OpenAlerts(of_operators=counts[True], of_organizations=counts[False])


def _is(status: AlertStatus, *, by_organization: bool) -> Part:
    """Return the condition that an alert has a status for its reader; organizations acknowledge for themselves."""
    seen_by_organization = Alert.org_acknowledged_at.is_not(None)
    if status is AlertStatus.RESOLVED:
        return (Alert.resolved_at.is_not(None),)
    if status is AlertStatus.FIRING:
        # The first two conditions follow from the third; they are what the indexes are for.
        part: Part = (Alert.acknowledged_at.is_(None), Alert.resolved_at.is_(None), Alert.status == status.value)
        return (*part, Alert.org_acknowledged_at.is_(None)) if by_organization else part
    seen: ColumnElement[bool] = Alert.status == status.value
    return (Alert.resolved_at.is_(None), or_(seen, seen_by_organization) if by_organization else seen)


async def find(session: AsyncSession, alert_id: str, *, lock: bool = False) -> Alert | None:
    """Return an alert; None if there is none that the session may see. With `lock` it is locked."""
    return await session.get(Alert, alert_id, with_for_update=lock or None, populate_existing=True)


_LIST = Listing(of=Alert, order=[Alert.id], prefix="alr", searched=("kind", "subject", "detail"))


async def page(
    session: AsyncSession, wanted: ListFilter, *, open_only: bool, by_organization: bool = False
) -> ListPage[Alert]:
    """Return a page of the alerts that the session may see, newest first.

    Without an organization, only alerts for operators. For an organization's own request, an alert is open if neither
    the organization nor an operator has acknowledged it.
    """
    served = ("kind", "subject")
    part: Part = tuple(getattr(Alert, name) == wanted.equal[name] for name in served if name in wanted.equal)
    part = (*part, Alert.for_operators.is_(True) if wanted.org_id is None else Alert.org_id == wanted.org_id)
    if open_only:
        part = (*part, Alert.acknowledged_at.is_(None))
    if open_only and by_organization:
        part = (*part, Alert.org_acknowledged_at.is_(None))
    states = [_is(AlertStatus(status), by_organization=by_organization) for status in wanted.statuses] or [()]
    parts = [(*part, *state) for state in states]
    return await _LIST.page(session, wanted, parts, served=served)


async def acknowledge(
    session: AsyncSession, alert_id: str, by: str, *, for_organization: bool = False
) -> tuple[Alert, bool]:
    """Acknowledge an alert, by an operator or for its organization. The first acknowledgement stays.

    A tenant's session can only acknowledge for its own organization, alerts that are shared with it. The second value
    is whether this call has acknowledged it.

    Raises:
        NotFound: there is no such alert that the session may see.
    """
    seen_at = Alert.org_acknowledged_at if for_organization else Alert.acknowledged_at
    seen_by = Alert.org_acknowledged_by if for_organization else Alert.acknowledged_by
    return await _change(
        session, alert_id, update(Alert).where(seen_at.is_(None)).values({seen_at: func.now(), seen_by: by})
    )


async def resolve_one(
    session: AsyncSession, alert_id: str, by: str, *, for_organization: bool = False
) -> tuple[Alert, bool]:
    """Resolve an alert by hand. The first resolution stays.

    A tenant's session can resolve only alerts that are not for operators. The second value is whether this call has
    resolved it.

    Raises:
        NotFound: there is no such alert that the session may see.
        OperatorsCase: an organization asks, and the alert is for operators too.
    """
    statement = _resolution(by)
    if for_organization:
        statement = (
            update(Alert)
            .where(Alert.resolved_at.is_(None), Alert.for_operators.is_(False))
            .values(
                resolved_at=func.now(),
                resolved_by=by,
                org_acknowledged_at=func.coalesce(Alert.org_acknowledged_at, func.now()),
                org_acknowledged_by=func.coalesce(Alert.org_acknowledged_by, by),
            )
        )
    row, changed = await _change(session, alert_id, statement)
    if for_organization and row.for_operators and row.resolved_at is None:
        raise OperatorsCase(
            "Operators handle this alert too. They resolve it, or it is resolved when its case is over. Acknowledge "
            "it instead.",
            extra={"status": row.status},
        )
    return row, changed


async def snooze(
    session: AsyncSession, alert_id: str, until: datetime, *, for_organization: bool = False
) -> tuple[Alert, bool]:
    """Snooze an alert for operators, or for its organization, until a time; the last call wins.

    The second value is whether the time is another one than before.

    Raises:
        NotFound: there is no such alert that the session may see.
    """
    ends = Alert.org_snoozed_until if for_organization else Alert.snoozed_until
    statement = update(Alert).where(Alert.resolved_at.is_(None), ends.is_distinct_from(until)).values({ends: until})
    row, changed = await _change(session, alert_id, statement)
    if row.resolved_at is not None:
        raise AlertResolved("The alert is resolved, so it sends no more notifications.")
    return row, changed


async def _change(session: AsyncSession, alert_id: str, statement: Update) -> tuple[Alert, bool]:
    if not is_id(alert_id, "alr"):
        raise NotFound("There is no such alert.")
    options: dict[str, Any] = {"populate_existing": True}
    changing = statement.where(Alert.id == alert_id).returning(Alert)
    row = (await session.scalars(changing, execution_options=options)).one_or_none()
    if row is not None:
        return row, True
    found = await session.get(Alert, alert_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such alert.")
    return found, False


async def unnotified(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[Alert]:
    """Return the first alerts without notifications; those that operators have snoozed wait until the snooze ends."""
    query = select(Alert).where(
        Alert.notified_at.is_(None), or_(Alert.snoozed_until.is_(None), Alert.snoozed_until <= now)
    )
    return (await session.scalars(query.order_by(Alert.id).limit(limit))).all()


async def unanswered(session: AsyncSession, *, since: datetime, after: str, limit: int) -> Sequence[Alert]:
    """Return alerts with notifications that fire, and were raised or snoozed until later than `since`, by id."""
    newest = func.greatest(Alert.created_at, Alert.snoozed_until, Alert.org_snoozed_until)
    firing = (Alert.resolved_at.is_(None), Alert.status == AlertStatus.FIRING.value, Alert.notified_at.is_not(None))
    query = select(Alert).where(*firing, newest > since, Alert.id > after).order_by(Alert.id).limit(limit)
    return (await session.scalars(query)).all()


async def take_unnotified(session: AsyncSession, ids: Collection[str], *, now: datetime) -> Sequence[Alert]:
    """Mark alerts as notified, and return those that were not; rows that another transaction has locked are skipped."""
    free = select(Alert.id).where(Alert.id.in_(ids), Alert.notified_at.is_(None)).with_for_update(skip_locked=True)
    taken = update(Alert).where(Alert.id.in_(free.scalar_subquery())).values(notified_at=now).returning(Alert)
    return (await session.scalars(taken, execution_options={"populate_existing": True})).all()
