"""Unsubscribe links: the page, one click, and requests that are refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_string, policy

import httpx2
import pytest

from api.app import create_app
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import MailText
from domain.messages.notification.types import DIGEST
from models.messages.notification import NotificationRow
from providers.notify.base import Message
from runtime.database import Database
from runtime.identity import new_id
from runtime.signing import SIGNATURE_LENGTH, Signer
from services.messages.unsubscribing import PATH, UnsubscribeLinks, Unsubscription
from tests.api.conftest import Caller, NewTenant, good, settings_for
from tests.api.test_notifications import principal_of, verified
from tests.conftest import DatabaseUrls
from tests.support.mails import listening, mailer
from tests.support.webhooks import WEBHOOK_KEYS

pytestmark = pytest.mark.db

ONE_CLICK = {"content": b"List-Unsubscribe=One-Click", "headers": {"content-type": "application/x-www-form-urlencoded"}}
LINKS = UnsubscribeLinks.of("https://bursar.test", WEBHOOK_KEYS)


@pytest.fixture(scope="module")
async def server(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings_for(database_urls, webhook_keys=WEBHOOK_KEYS, mail_sender_name="<Acme>"))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://bursar.test") as client,
    ):
        yield client


@pytest.fixture
async def owner_and_link(
    server: httpx2.AsyncClient, database: Database, new_tenant: NewTenant
) -> tuple[Caller, Unsubscription]:
    """An owner with a mail channel, and the token of the link in a message about a payout."""
    tenant = await new_tenant("owner")
    owner = Caller(server, tenant.owner.token, tenant.org_id)
    channel = await verified(database, owner)
    principal = await principal_of(database, owner)
    return owner, Unsubscription(org_id=tenant.org_id, principal=principal, channel_id=channel, kind="payout")


async def way(owner: Caller, wanted: Unsubscription) -> str:
    types = good(await owner.get("/notifications/preferences"))["types"]
    return str(next(each for each in types if each["type"] == wanted.kind)["channels"][wanted.channel_id])


def at(wanted: Unsubscription) -> str:
    return f"{PATH}?token={LINKS.token(wanted)}"


async def test_unsubscribe_link_shows_a_button_that_takes_one_click(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    page = await server.get(at(wanted), headers={"accept-language": "de-AT"})
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    assert "script-src" not in page.headers["content-security-policy"]
    assert '<form method="post"><button>Abbestellen</button></form>' in page.text
    assert "&lt;Acme&gt;" in page.text
    assert await way(owner, wanted) == "instant"
    for _ in range(2):
        assert (await server.post(at(wanted), **ONE_CLICK)).status_code == 200
    assert await way(owner, wanted) == "off"
    assert await way(owner, replace(wanted, kind="chargeback")) == "instant"


async def test_header_link_of_a_mail_unsubscribes_from_its_type(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    mailbox = Mailbox()
    row = NotificationRow(org_id=wanted.org_id, principal=wanted.principal, channel=wanted.channel_id, kind=wanted.kind)
    async with listening(mailbox) as port:
        message = Message(
            to=("kim@acme.example",),
            language="en",
            words=MailText(subject="s", paragraphs=("p",)),
            unsubscribe=LINKS.link_in(row),
        )
        await mailer(port).send(message, idempotency_key="k")
    head = message_from_string(mailbox.mails[0]["raw"], policy=policy.default)
    assert head["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(head["List-Unsubscribe"]).strip("<>")
    assert (await server.post(link, **ONE_CLICK)).status_code == 200
    assert await way(owner, wanted) == "off"


async def test_token_works_only_for_its_own_subject(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    token = LINKS.token(wanted)
    other = LINKS.token(replace(wanted, kind="invoice"))
    made_up = UnsubscribeLinks("https://bursar.test", Signer(WEBHOOK_KEYS, purpose="another")).token(wanted)
    mixed = other[:SIGNATURE_LENGTH] + token[SIGNATURE_LENGTH:]
    for bad in ("", "x", token[:-1], token + "A", mixed, made_up, "é" * 30, "a" * 900):
        for method in ("GET", "POST"):
            response = await server.request(method, PATH, params={"token": bad})
            assert response.status_code == 404
            assert "<button>" not in response.text
    assert await way(owner, wanted) == "instant"


async def test_mandatory_notifications_stay_and_a_removed_channel_counts_as_done(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    chargeback = replace(wanted, kind="chargeback")
    off = {"types": {"chargeback": {"inbox": "off"}}}
    good(await owner.ask("PUT", "/notifications/preferences", json=off))
    kept = await server.post(at(chargeback), **ONE_CLICK)
    assert (kept.status_code, "cannot be switched off" in kept.text) == (409, True)
    assert await way(owner, chargeback) == "instant"
    gone = await server.post(at(replace(wanted, channel_id=new_id("nch"))), **ONE_CLICK)
    assert gone.status_code == 200


async def test_digest_link_switches_off_its_types_except_mandatory_ones(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    ways = {"payout": "daily", "contract": "weekly", "chargeback": "daily"}
    types = {kind: {wanted.channel_id: cadence} for kind, cadence in ways.items()}
    good(await owner.ask("PUT", "/notifications/preferences", json={"types": types}))
    row = NotificationRow(
        org_id=wanted.org_id,
        principal=wanted.principal,
        channel=wanted.channel_id,
        kind=DIGEST,
        subject="daily-2026-11-22",
    )
    link = LINKS.link_in(row)
    assert link is not None
    for status in (200, 409):
        # The second time only what has to stay is left.
        assert (await server.post(link, **ONE_CLICK)).status_code == status
        found = {kind: await way(owner, replace(wanted, kind=kind)) for kind in ("payout", "contract", "chargeback")}
        assert found == {"payout": "off", "contract": "weekly", "chargeback": "daily"}


async def test_digest_link_switches_off_proposed_contracts_too(
    server: httpx2.AsyncClient, owner_and_link: tuple[Caller, Unsubscription]
) -> None:
    owner, wanted = owner_and_link
    types = {kind: {wanted.channel_id: way} for kind, way in {"contract": "instant", "escrow": "weekly"}.items()}
    good(await owner.ask("PUT", "/notifications/preferences", json={"types": types}))
    at = {"org_id": wanted.org_id, "principal": wanted.principal, "channel": wanted.channel_id}
    link = LINKS.link_in(NotificationRow(kind=DIGEST, subject="hourly-2026-11-22T10", **at))
    assert link is not None
    assert (await server.post(link, **ONE_CLICK)).status_code == 200
    found = {kind: await way(owner, replace(wanted, kind=kind)) for kind in ("contract", "escrow")}
    assert found == {"contract": "off", "escrow": "weekly"}


def test_unsubscribe_link_names_its_subject_and_needs_an_address_and_a_key() -> None:
    wanted = Unsubscription(org_id=None, principal="kim+é@x", channel_id="nch_1", kind="payout")
    link = LINKS.link(wanted)
    assert link is not None
    assert link.startswith(f"https://bursar.test{PATH}?token=")
    assert LINKS.read(LINKS.token(wanted)) == wanted
    assert UnsubscribeLinks.of(None, WEBHOOK_KEYS).link(wanted) is None
    assert UnsubscribeLinks.of("https://bursar.test", None).link(wanted) is None


def test_a_signature_is_for_its_purpose_and_survives_a_change_of_keys() -> None:
    one, two = Signer(WEBHOOK_KEYS, purpose="one"), Signer(WEBHOOK_KEYS, purpose="two")
    assert one.verifies("a", one.sign("a").upper())
    assert not one.verifies("b", one.sign("a"))
    assert not two.verifies("a", one.sign("a"))
    assert not Signer(None, purpose="one").verifies("a", one.sign("a"))
