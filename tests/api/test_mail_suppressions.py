"""Bounced mails: accepted reports, notifications, and lifting a suppression."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import select

from api.app import create_app
from dev.sandbox.mail.bounces import report
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import Contact, MailText, Purpose
from models.messages.mail_suppression import MailSuppression
from providers.notify.base import Message
from repositories.messages import mail_suppression as suppressions
from repositories.tenants import contact
from runtime.database import Database
from runtime.identity import new_id
from services.messages.mail_suppression import BounceAddresses, SuppressingNotifier
from tests.api.conftest import Caller, Tenant, good, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.mails import listening, mailer
from tests.support.serving import client_of
from tests.support.webhooks import WEBHOOK_KEYS

pytestmark = pytest.mark.db

MAILBOX = "bounce@mail.bursar.example"
WORDS = MailText(subject="s", paragraphs=("p",))
BOUNCES = BounceAddresses.of(MAILBOX, WEBHOOK_KEYS)
assert BOUNCES is not None


def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture(scope="module")
async def server(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An API that accepts bounce reports."""
    app = create_app(settings_for(database_urls, webhook_keys=WEBHOOK_KEYS, mail_bounces=MAILBOX))
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def victim(database: Database, tenant: Tenant) -> str:
    """A contact address of an organization."""
    address = f"{new_id('kim')}@acme.example"
    contacts = [Contact(address=address, purposes=frozenset({Purpose.BILLING}))]
    async with database.platform() as session:
        await contact.put(session, tenant.org_id, "en", contacts, by="x", now=datetime.now(UTC))
    return address


async def bounced(
    server: httpx2.AsyncClient, raw: bytes, recipient: str | None = None, *, status: int = 200
) -> httpx2.Response:
    asked = {} if recipient is None else {"recipient": recipient}
    response = await server.post("/api/v1/webhooks/mail-bounces", content=raw, params=asked)
    assert response.status_code == status, response.text
    return response


async def is_suppressed(database: Database, address: str) -> bool:
    async with database.platform() as session:
        return await suppressions.among(session, [address]) == {address}


async def test_bounced_address_gets_no_further_mail_and_one_notification_is_sent(
    server: httpx2.AsyncClient, database: Database, tenant: Tenant, victim: str
) -> None:
    mailbox = Mailbox()
    async with listening(mailbox) as port:
        carrier = mailer(port, return_path=lambda to: BOUNCES.address(to, today()))
        sender = SuppressingNotifier(carrier, database)
        message = Message(to=(victim, "other@acme.example"), language="en", words=WORDS)
        assert (await sender.send(message, idempotency_key="1")).accepted == message.to
        envelope = mailbox.mails[0]["sender"]
        assert envelope == mailbox.mails[0]["sender"] != mailbox.mails[1]["sender"]
        raw = report(to=envelope, address=victim)
        # What is delivered twice, or at once, or without saying where it came to, has one effect.
        await asyncio.gather(*(bounced(server, raw, envelope) for _ in range(5)), bounced(server, raw))
        done = await sender.send(message, idempotency_key="2")
    assert (done.accepted, set(done.refused), set(done.suppressed)) == (("other@acme.example",), {victim}, {victim})
    assert [each["to"] for each in mailbox.mails[2:]] == ["other@acme.example"]
    alerts = good(await tenant.owner.get("/alerts?kind=mail.suppressed"))["data"]
    (told,) = [each for each in alerts if each["organization_id"] == tenant.org_id and each["status"] == "firing"]
    assert victim not in told["detail"]


async def test_forged_bounce_report_suppresses_nobody(
    server: httpx2.AsyncClient, database: Database, victim: str
) -> None:
    mine = "me@thief.example"
    own = BOUNCES.address(mine, today())
    old = BOUNCES.address(victim, today() - timedelta(days=11))
    forged = own.replace(own[-30], "a" if own[-30] != "a" else "b")
    for to, address in ((own, victim), (old, victim), (MAILBOX, victim), (forged, mine), ("x@y.example", victim)):
        response = await bounced(server, report(to=to, address=address), to, status=400)
        refused(response, 400, "webhook.bad_signature")
    # With my own token, my address is found in it, and the victim's beside it stays.
    both = report(to=own, address=victim, headers=f"To: {mine}\n\n")
    await bounced(server, both, own)
    assert not await is_suppressed(database, victim)
    assert await is_suppressed(database, mine)


async def test_delay_reports_and_replies_change_nothing(
    server: httpx2.AsyncClient, database: Database, victim: str
) -> None:
    to = BOUNCES.address(victim, today())
    for raw in (report(to=to, address=victim, status="5.2.2"), b"To: x\r\nSubject: On holiday\r\n\r\nI am away."):
        await bounced(server, raw, to)
    assert not await is_suppressed(database, victim)


async def test_address_refused_by_the_server_is_suppressed(database: Database, victim: str) -> None:
    mailbox = Mailbox()
    mailbox.unknown = {victim}
    async with listening(mailbox) as port:
        sender = SuppressingNotifier(mailer(port), database)
        message = Message(to=(victim,), language="en", words=WORDS)
        assert not (await sender.send(message, idempotency_key="1")).suppressed
        mailbox.unknown = set()
        done = await sender.send(message, idempotency_key="2")
    assert (set(done.suppressed), mailbox.mails) == ({victim}, [])


async def test_operator_lists_and_lifts_suppressions_and_older_reports_are_ignored(
    server: httpx2.AsyncClient, database: Database, operator: Caller, tenant: Tenant, victim: str
) -> None:
    to = BOUNCES.address(victim, today())
    await bounced(server, report(to=to, address=victim), to)
    (found,) = good(await operator.get(f"/mail-suppressions?address={victim.upper()}"))["data"]
    assert (found["address"], found["status"], found["lifted_at"]) == (victim, "5.1.1", None)
    lifted = good(await operator.post(f"/mail-suppressions/{found['id']}/lift", {}))
    assert lifted["lifted_by"]
    assert good(await operator.post(f"/mail-suppressions/{found['id']}/lift", {})) == lifted
    assert good(await operator.get(f"/mail-suppressions?address={victim}"))["data"] == []
    assert good(await operator.get(f"/mail-suppressions?address={victim}&lifted=true"))["data"] == [lifted]
    states = {each["subject"]: each["status"] for each in good(await tenant.owner.get("/alerts"))["data"]}
    assert states[found["id"]] == "resolved"
    await bounced(server, report(to=to, address=victim), to)
    assert not await is_suppressed(database, victim)
    refused(await operator.post(f"/mail-suppressions/{new_id('sup')}/lift", {}), 404, "not_found")
    async with database.platform() as session:
        rows = (await session.scalars(select(MailSuppression).where(MailSuppression.address == victim))).all()
    assert len(rows) == 1


async def test_bounce_reports_are_refused_without_a_bounce_address(anonymous: Caller) -> None:
    response = await anonymous.ask("POST", "/webhooks/mail-bounces", content=b"x")
    refused(response, 404, "not_found")
