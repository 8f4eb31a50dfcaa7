"""Events and alerts become notifications once for each recipient, however often they are read."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import func, select, text, update
from temporalio.testing import ActivityEnvironment

from activities.messages.notification import PAGES_AT_ONCE, NotificationActivities
from contracts.messages.notification import DigestInput, FanOut
from contracts.runs import digest_run
from domain.common.access import Actor, Role
from domain.common.mail import Contact, Purpose
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.notification.channel import INBOX, ChannelKind
from domain.messages.notification.due import Cadence, NotificationClock
from domain.messages.notification.preferences import Person, Preferences, recipient_of
from models.marketplace.agent import Agent
from models.messages.alert import Alert
from models.messages.alert_rule import AlertRule
from models.messages.notification import NotificationRow
from models.tenants.api_key import ApiKey
from repositories.messages import alert, event, notification as notifications
from repositories.tenants import audit, contact
from runtime.database import Database
from runtime.identity import new_id
from services.messages import fan_out
from services.messages.fan_out import NotifiedPage
from services.messages.notification import notify_roles
from tests.support.notifications import SEALER, a_channel, a_principal, an_organization
from tests.support.outbox import past_others

pytestmark = pytest.mark.db


async def happened(database: Database, org_id: str, *types: str, **values: Any) -> list[str]:
    """Record the first events of these types of an organization, and return their ids once readers can see them."""
    async with database.platform() as session:
        for each in types:
            data = CATALOGUE[each].example | values
            await event.record(session, [Event(type=each, org_id=org_id, subject=new_id("sub"), data=data)])
    await past_others(database)
    async with database.platform() as session:
        rows = await event.page(session, after=None, limit=1000, org_id=org_id, types=types)
    return [row.id for row in rows]


async def raised(database: Database, org_id: str | None, **values: Any) -> Alert:
    key = new_id("key")
    async with database.platform() as session:
        given = {"kind": "some.kind", "subject": "esc_1", "detail": "Look at it.", "shared": True, **values}
        await alert.raise_alert(session, org_id=org_id, key=key, **given)
        return (await session.scalars(select(Alert).where(Alert.key == key))).one()


async def notify_of_alerts(
    database: Database, *rows: Alert, called: Sequence[Role] = (), now: datetime | None = None
) -> NotifiedPage:
    async with database.platform() as session:
        ids = {row.id: list(called) for row in rows}
        return await fan_out.notify_of_alerts(session, ids, now=now or datetime.now(UTC))


async def read_on(database: Database) -> None:
    """Read the outbox until its end."""
    while True:
        async with database.platform() as session:
            done = await fan_out.notify_of_events(session, now=datetime.now(UTC), limit=200)
        if not done.more:
            return


async def notified(database: Database, org_id: str | None, source: str) -> dict[tuple[str, str], str]:
    """Return the status of a source's notification for each recipient and channel."""
    row = NotificationRow
    whose = row.org_id == org_id if org_id else row.org_id.is_(None)
    async with database.platform() as session:
        found = await session.execute(select(row.principal, row.channel, row.status).where(row.source == source, whose))
        return {(principal, channel): status for principal, channel, status in found.all()}


async def wants(database: Database, org_id: str, principal: str, choices: Mapping[str, Any], **clock: Any) -> None:
    async with database.platform() as session:
        wanted = Preferences(clock=NotificationClock(**clock), choices=choices)
        await notifications.put_preferences(
            session, org_id=org_id, principal=principal, wanted=wanted, now=datetime.now(UTC)
        )


async def test_event_is_sent_once_to_its_roles_over_their_verified_channels(db: Database) -> None:
    org = await an_organization(db)
    for name, role in (("ann", Role.OWNER), ("fin", Role.FINANCE), ("mem", Role.MEMBER), ("bot", Role.AUDITOR)):
        await a_principal(db, org, name, role)
    mail, pending = await a_channel(db, org, "ann"), await a_channel(db, org, "fin", verified=False)
    (paid,) = await happened(db, org, "payout.paid")
    await read_on(db)
    await read_on(db)
    assert await notified(db, org, paid) == {("ann", INBOX): "sent", ("ann", mail): "queued", ("fin", INBOX): "sent"}
    assert pending


PROPOSE = text("""
    INSERT INTO contracts (id, org_id, payee_org_id, agent_id, title, price_minor, currency, signatories,
        signatory_org_ids, required_signatures, fund_seconds, deliver_seconds, review_seconds, evidence_seconds,
        decision_seconds, grace_seconds, dispute_default_share_e4, commission_bps, commission_from, milestones,
        created_by, command_id, outside_listing, accept_by)
    VALUES (:id, :client, :payee, :agent, 'x', 1, 'CREDIT', '{a}', ARRAY[CAST(:signs AS text)], 1, 1, 1, 1, 1, 1, 1, 1,
        1, 'usual', '[]', 'x', :id, '{price}', now() + interval '1 day')
""")


async def test_proposed_contracts_come_in_digests_and_from_busy_clients_once_a_day(db: Database) -> None:
    client, payee, signs = [await an_organization(db) for _ in range(3)]
    for org in (client, payee, signs):
        await a_principal(db, org, "ann", Role.OWNER)
        await a_channel(db, org, "ann")
    agent = new_id("agt")
    async with db.platform() as session:
        named = {"visibility": "public", "pricing_model": "free", "created_by": "x", "command_id": agent}
        session.add(Agent(id=agent, org_id=payee, name="x", **named))

    async def propose() -> dict[str | None, tuple[str, str]]:
        """Return for each organization the status and the digest of its mail about a new proposal."""
        contract_id = new_id("ctr")
        async with db.platform() as session:
            named = {"id": contract_id, "client": client, "payee": payee, "agent": agent, "signs": signs}
            await session.execute(PROPOSE, named)
            actor = Actor(principal="ann", role=Role.OWNER, org_id=client)
            await audit.record(session, actor, "contract.create", contract_id)
        await past_others(db)
        await read_on(db)
        row, found = NotificationRow, {}
        async with db.platform() as session:
            for each in await session.scalars(select(row).where(row.subject == contract_id)):
                if each.channel != INBOX:
                    found[each.org_id] = (each.status, (each.digest or "").partition("-")[0])
                else:
                    assert each.status == "sent"
        return found

    told_now = await propose()
    assert told_now == {client: ("queued", ""), payee: ("waiting", "hourly"), signs: ("waiting", "hourly")}
    async with db.platform() as session:
        for _ in range(fan_out.CONTRACTS_A_DAY):
            actor = Actor(principal="ann", role=Role.OWNER, org_id=client)
            await audit.record(session, actor, "contract.create", new_id("ctr"))
    told_later = await propose()
    assert told_later == {client: ("queued", ""), payee: ("waiting", "daily"), signs: ("waiting", "daily")}


async def test_failed_invoice_charge_notifies_through_its_alert_only(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    (of_invoice,) = await happened(db, org, "payment.failed", invoice_id=new_id("inv"))
    *_, other = await happened(db, org, "payment.failed", invoice_id=None)
    await read_on(db)
    assert await notified(db, org, of_invoice) == {}
    assert await notified(db, org, other) == {("ann", INBOX): "sent"}


async def test_concurrent_readers_notify_once(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    await happened(db, org, *["payout.paid"] * 20)
    alerts = [await raised(db, org) for _ in range(5)]

    async def read() -> int:
        async with db.platform() as session:
            events = await fan_out.notify_of_events(session, now=datetime.now(UTC), limit=7)
        return events.written

    await asyncio.gather(*(read() for _ in range(6)), *(notify_of_alerts(db, *alerts) for _ in range(3)))
    await read_on(db)
    row = NotificationRow
    async with db.platform() as session:
        counts = await session.execute(
            select(row.kind, func.count(), func.count(row.source.distinct()))
            .where(row.org_id == org)
            .group_by(row.kind)
        )
        assert {kind: (rows, sources) for kind, rows, sources in counts.all()} == {
            "payout": (20, 20),
            "alert_warning": (5, 5),
        }


async def test_burst_larger_than_one_statement_is_sent_at_once(db: Database) -> None:
    org_id = await an_organization(db)
    await happened(db, org_id, "contract.proposed")
    async with db.platform() as session:
        (row,) = await event.page(session, after=None, limit=1, org_id=org_id, types=["contract.proposed"])
        about, now = fan_out.about_event(row), datetime.now(UTC)
        wishes = {"org_id": org_id, "role": Role.OWNER, "preferences": Preferences()}
        people = [Person(principal=f"person-{number}", **wishes) for number in range(2_300)]
        found = [new for each in people for new in fan_out.rows_of(about, each, {INBOX: Cadence.INSTANT}, now)]
        assert await notifications.add(session, found) == len(found) == 2_300
        assert await notifications.add(session, found) == 0


async def test_reader_that_dies_before_its_commit_notifies_nobody(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    (paid,) = await happened(db, org, "payout.paid")
    row = await raised(db, org)

    async def dies() -> None:
        async with db.platform() as session:
            await fan_out.notify_of_events(session, now=datetime.now(UTC), limit=1000)
            await fan_out.notify_of_alerts(session, {row.id: ()}, now=datetime.now(UTC))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await dies()
    assert await notified(db, org, paid) == {}
    await read_on(db)
    assert (await notify_of_alerts(db, row)).facts == 1
    assert await notified(db, org, paid) == await notified(db, org, row.id) == {("ann", INBOX): "sent"}


async def test_principal_without_an_active_key_is_not_notified(db: Database) -> None:
    org = await an_organization(db)
    for name in ("gone", "late"):
        await a_principal(db, org, name, Role.OWNER)
        await a_channel(db, org, name)
    async with db.platform() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(
            update(ApiKey).where(ApiKey.org_id == org, ApiKey.principal == "gone").values(revoked_at=past)
        )
    await a_principal(db, org, "expired", Role.OWNER, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    (paid,) = await happened(db, org, "payout.paid")
    await read_on(db)
    assert {principal for principal, _ in await notified(db, org, paid)} == {"late"}


async def test_preferences_apply_except_to_mandatory_notifications(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    mail = await a_channel(db, org, "ann")
    choices = {
        "payout": {mail: Cadence.WEEKLY, INBOX: Cadence.OFF},
        "refund": {mail: Cadence.INSTANT},
        "chargeback": {mail: Cadence.OFF, INBOX: Cadence.OFF},
    }
    await wants(db, org, "ann", choices)
    paid, refund, won = await happened(db, org, "payout.paid", "refund.failed", "chargeback.won")
    await read_on(db)
    assert await notified(db, org, paid) == {("ann", mail): "waiting"}
    assert await notified(db, org, refund) == {("ann", mail): "queued"}
    # Nobody is left of those who were told when she switched it off.
    assert await notified(db, org, won) == {("ann", INBOX): "sent"}


async def test_address_that_got_a_contact_mail_gets_no_second_mail(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    same = await a_channel(db, org, "ann", address="Books@acme.example")
    other = await a_channel(db, org, "ann", address="ann@acme.example")
    async with db.platform() as session:
        contacts = [Contact(address="books@acme.example", purposes=frozenset({Purpose.BILLING}))]
        await contact.put(session, org, "en", contacts, by="x", now=datetime.now(UTC))
    paid, failed = await happened(db, org, "payout.paid", "payment.failed")
    await read_on(db)
    assert {channel for _, channel in await notified(db, org, paid)} == {INBOX, other}
    assert {channel for _, channel in await notified(db, org, failed)} == {INBOX, same, other}


async def test_owner_gets_one_mail_and_later_escalation_steps(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    mail, slack = await a_channel(db, org, "ann"), await a_channel(db, org, "ann", kind=ChannelKind.SLACK)
    row = await raised(db, org, kind="payout.destination_changed", severity="critical")
    async with db.platform() as session:
        await notify_roles(session, row, (Role.OWNER,), "owner:0")
        await notify_roles(session, row, (Role.OWNER,), "owner:1800")
    assert {channel for _, channel in await notified(db, org, f"{row.id}:owner:0")} == {INBOX, slack}
    assert {channel for _, channel in await notified(db, org, f"{row.id}:owner:1800")} == {INBOX, slack, mail}


async def test_alert_notifies_each_side_it_is_for(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    operator = new_id("kim")
    await a_principal(db, None, operator, Role.OPERATOR)
    shared, ours, theirs = (
        await raised(db, org),
        await raised(db, org, shared=False),
        await raised(db, org, for_operators=False),
    )
    await notify_of_alerts(db, shared, ours, theirs)
    for row, org_side, our_side in ((shared, 1, 1), (ours, 0, 1), (theirs, 1, 0)):
        assert (len(await notified(db, org, row.id)), int((operator, INBOX) in await notified(db, None, row.id))) == (
            org_side,
            our_side,
        )
    async with db.platform() as session:
        assert shared.id not in {row.id for row in await alert.unnotified(session, now=datetime.now(UTC), limit=10_000)}


async def test_snoozed_alert_waits_and_escalation_recipients_get_no_other_message(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    await a_principal(db, org, "adm", Role.ADMIN)
    now = datetime.now(UTC)
    row = await raised(db, org, severity="critical")
    async with db.platform() as session:
        await session.execute(update(Alert).where(Alert.id == row.id).values(snoozed_until=now + timedelta(hours=1)))
    async with db.platform() as session:
        assert row.id not in {each.id for each in await alert.unnotified(session, now=now, limit=10_000)}
        later = await alert.unnotified(session, now=now + timedelta(hours=1), limit=10_000)
        assert row.id in {each.id for each in later}
    await notify_of_alerts(db, row, called=[Role.OWNER, Role.OPERATOR])
    assert await notified(db, org, row.id) == {("adm", INBOX): "sent"}


async def test_escalation_step_notifies_once_over_every_channel(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    await a_principal(db, org, "adm", Role.ADMIN)
    mail = await a_channel(db, org, "ann")
    await wants(db, org, "ann", {"alert_warning": {mail: Cadence.WEEKLY, INBOX: Cadence.OFF}})
    row = await raised(db, org)
    async with db.platform() as session:
        assert await notify_roles(session, row, (Role.OWNER,), "owner:0") == 2
    async with db.platform() as session:
        assert await notify_roles(session, row, (Role.OWNER,), "owner:0") == 0
        assert await notify_roles(session, row, (Role.OWNER,), "owner:1800") == 2
    assert await notified(db, org, f"{row.id}:owner:0") == {("ann", INBOX): "sent", ("ann", mail): "queued"}
    hidden = await raised(db, org, shared=False)
    async with db.platform() as session:
        assert await notify_roles(session, hidden, (Role.OWNER,), "owner:0") == 0


async def test_alert_of_a_rule_is_also_sent_over_the_rules_channels(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "fin", Role.FINANCE)
    mail, other = await a_channel(db, org, "fin"), await a_channel(db, org, "fin")
    about = fan_out.about_alert(await raised(db, org), for_platform=False)
    async with db.platform() as session:
        people = (await notifications.people(session, [org]))[org]
    assert fan_out.recipients(about, people) == []
    assert fan_out.recipients(about, people, also=[mail]) == [(people[0], {mail: Cadence.INSTANT})]
    assert other in people[0].channels


async def a_rule(database: Database, org_id: str, **says: Any) -> str:
    """Insert a rule of an organization, and return its id."""
    rule_id = new_id("rul")
    async with database.platform() as session:
        made = AlertRule(
            **{"id": rule_id, "org_id": org_id, "name": rule_id, "created_by": "x", "command_id": rule_id},
            **{"metric": "credits.available", "filters": {}, "condition": {}, "severity": "warning"},
            **{"window_seconds": 60, "cool_down_seconds": 60, **says},
        )
        session.add(made)
    return rule_id


async def test_escalation_step_of_a_rule_is_also_sent_over_the_rules_channels(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "fin", Role.FINANCE)
    mail, other = await a_channel(db, org, "fin"), await a_channel(db, org, "fin")
    row = await raised(db, org, rule_id=await a_rule(db, org, channels=[mail], ladder=["finance:0"]))
    async with db.platform() as session:
        await notify_roles(session, row, (Role.FINANCE,), "finance:0")
    assert await notified(db, org, f"{row.id}:finance:0") == {("fin", INBOX): "sent", ("fin", mail): "queued"}
    assert other


def test_recipient_names_are_unique_per_organization() -> None:
    assert len({recipient_of(None, "kim"), recipient_of("org_1", "kim"), recipient_of("org_1", "Kim")}) == 2
    assert SEALER.seals


async def test_single_run_sends_alerts_and_starts_escalations_and_digests(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    await a_principal(db, org, "fin", Role.FINANCE)
    mail = await a_channel(db, org, "fin")
    await wants(db, org, "fin", {"payout": {mail: Cadence.DAILY}, "alert_critical": {INBOX: Cadence.INSTANT}})
    called = await raised(db, org, kind="payout.destination_changed", severity="critical")
    ruled = await raised(db, org, rule_id=await a_rule(db, org, ladder=["owner:600"]))
    plain = await raised(db, org)
    resolved = await raised(db, org)
    async with db.platform() as session:
        await alert.resolve(session, resolved.key, "kim")
    (paid,) = await happened(db, org, "payout.paid")
    client = AsyncMock()
    work = NotificationActivities(db, client, {}, SEALER)
    # Other tests left events and alerts, of which one run reads a page.
    while paid not in {row.source for row in await of(db, org)} or not await notified(db, org, plain.id):
        await ActivityEnvironment().run(work.fan_out, FanOut(seconds=0))
    # Whom its ladder calls, an escalation tells; finance is not on the ladder.
    assert await notified(db, org, called.id) == {("fin", INBOX): "sent"}
    assert await notified(db, org, ruled.id) == {}
    assert await notified(db, org, plain.id) == {("ann", INBOX): "sent"}
    assert await notified(db, org, resolved.id) == {}
    assert await notified(db, org, paid) == {("ann", INBOX): "sent", ("fin", INBOX): "sent", ("fin", mail): "waiting"}
    (waits,) = [row for row in await of(db, org) if row.status == "waiting"]
    digest = digest_run(DigestInput(recipient=recipient_of(org, "fin"), digest=waits.digest or ""), org)
    started = {each.kwargs["id"] for each in client.start_workflow.await_args_list}
    assert {digest.workflow_id, f"escalation/{called.id}", f"escalation/{ruled.id}"} <= started
    assert f"escalation/{plain.id}" not in started


async def test_lost_escalation_run_is_restarted(db: Database) -> None:
    org = await an_organization(db)
    kind = "payout.destination_changed"
    lost, snoozed, answered, resolved, plain = [
        await raised(db, org, kind="payment.debt" if number == 4 else kind, severity="critical") for number in range(5)
    ]
    now = datetime.now(UTC)
    async with db.platform() as session:
        await session.execute(update(Alert).where(Alert.org_id == org).values(notified_at=now))
        await alert.snooze(session, snoozed.id, now + timedelta(days=20))
        await alert.acknowledge(session, answered.id, "kim")
        await alert.resolve(session, resolved.key, "kim")
    client = AsyncMock()
    await ActivityEnvironment().run(NotificationActivities(db, client, {}, SEALER).fan_out, FanOut(seconds=0))
    started = {each.kwargs["id"] for each in client.start_workflow.await_args_list}
    assert {f"escalation/{lost.id}", f"escalation/{snoozed.id}"} <= started
    assert not {f"escalation/{row.id}" for row in (answered, resolved, plain)} & started
    async with db.platform() as session:
        # All steps of an old alert are over, unless it was snoozed.
        later = await alert.unanswered(session, since=now + timedelta(days=1), after="", limit=10_000)
    assert [row.id for row in later if row.org_id == org] == [snoozed.id]


async def of(database: Database, org_id: str) -> Sequence[NotificationRow]:
    async with database.platform() as session:
        return (await session.scalars(select(NotificationRow).where(NotificationRow.org_id == org_id))).all()


async def test_many_events_do_not_delay_alerts(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "ann", Role.OWNER)
    waits = await raised(db, org)

    async def flood(*_: object, **__: object) -> NotifiedPage:
        return NotifiedPage(facts=200, written=0, more=True)

    monkeypatch.setattr(fan_out, "notify_of_events", flood)
    work = NotificationActivities(db, AsyncMock(), {}, SEALER)
    done = await ActivityEnvironment().run(work.fan_out, FanOut(seconds=0))
    while done.alerts:
        # Other tests left alerts, of which one run reads a page.
        assert done.events == 200 * PAGES_AT_ONCE
        done = await ActivityEnvironment().run(work.fan_out, FanOut(seconds=0))
    assert await notified(db, org, waits.id) == {("ann", INBOX): "sent"}
