"""Mails sent to a mail server over SMTP, and its replies."""

from email import message_from_string, policy

import pytest

from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import MailText
from providers.notify.base import Message
from providers.notify.mail import message_id
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from tests.support.mails import BOOKS, OWNER, listening, mailer

WORDS = MailText(subject="Rechnung für März", paragraphs=("Über 1 € <b>.",), link="https://pay.example/?a=1&b=2")


def mail(*to: str, words: MailText = WORDS) -> Message:
    return Message(to=to or (OWNER,), language="de", words=words)


async def test_a_mail_arrives_as_text_and_html_and_its_key_makes_its_id() -> None:
    mailbox = Mailbox()
    async with listening(mailbox) as port:
        for _ in range(2):
            assert (await mailer(port).send(mail(), idempotency_key="invoice:1:issued")).accepted == (OWNER,)
    first, second = mailbox.mails
    assert first["message_id"] == second["message_id"] == message_id("invoice:1:issued", "bursar.example")
    assert first["message_id"] != message_id("invoice:2:issued", "bursar.example")
    assert (first["subject"], first["from"]) == (WORDS.subject, "Bursar <billing@bursar.example>")
    assert first["text"].splitlines()[:3] == ["Über 1 € <b>.", "", "https://pay.example/?a=1&b=2"]
    assert "<p>Über 1 € &lt;b&gt;.</p>" in first["html"]
    assert '<a class="button" href="https://pay.example/?a=1&amp;b=2">' in first["html"]
    message = message_from_string(first["raw"], policy=policy.default)
    assert (message["Content-Language"], message["Auto-Submitted"]) == ("de", "auto-generated")
    assert message["List-Unsubscribe"] is None
    assert first["sender"] == "billing@bursar.example"


@pytest.mark.parametrize(("scheme", "one_click"), [("https", "List-Unsubscribe=One-Click"), ("http", None)])
async def test_unsubscribable_mail_has_the_link_in_headers_text_and_html(scheme: str, one_click: str | None) -> None:
    mailbox, url = Mailbox(), f"{scheme}://bursar.example/api/v1/notifications/unsubscribe?token={'x' * 300}"
    async with listening(mailbox) as port:
        message = Message(to=(OWNER,), language="en", words=WORDS, unsubscribe=url)
        await mailer(port).send(message, idempotency_key="k")
    (got,) = mailbox.mails
    # As the octets stand: an encoded word would be read back as the same address, and clients do not decode it there.
    lines = got["raw"].splitlines()
    assert f"List-Unsubscribe: <{url}>" in lines
    assert message_from_string(got["raw"], policy=policy.default)["List-Unsubscribe-Post"] == one_click
    assert f"Stop mails like this one: {url}" in got["text"]
    assert f'<a href="{url}">Stop mails like this one</a>' in got["html"]


async def test_each_address_has_its_own_bounce_address() -> None:
    mailbox = Mailbox()
    mailbox.unknown = {"nobody@acme.example"}
    async with listening(mailbox) as port:
        sender = mailer(port, return_path=lambda to: f"bounce+{to.partition('@')[0]}@bursar.example")
        done = await sender.send(mail(OWNER, "nobody@acme.example", BOOKS), idempotency_key="k")
    assert (done.accepted, set(done.refused)) == ((OWNER, BOOKS), {"nobody@acme.example"})
    assert [(each["sender"], each["to"]) for each in mailbox.mails] == [
        ("bounce+owner@bursar.example", OWNER),
        ("bounce+books@bursar.example", BOOKS),
    ]


async def test_recipients_left_after_a_disconnect_are_retried() -> None:
    mailbox = Mailbox()
    mailbox.faults.extend(["take", "break"])
    async with listening(mailbox) as port:
        sender = mailer(port, return_path=lambda _: "bounce@bursar.example")
        done = await sender.send(mail(OWNER, BOOKS, "last@acme.example"), idempotency_key="k")
    assert (done.accepted, set(done.deferred), done.refused) == ((OWNER,), {BOOKS, "last@acme.example"}, {})


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x85", "\u2028"])
async def test_no_value_adds_a_header_or_a_recipient(line_break: str) -> None:
    mailbox = Mailbox()
    bad = MailText(subject=f"x{line_break}Bcc: thief@evil.example", paragraphs=("x",))
    async with listening(mailbox) as port:
        try:
            await mailer(port).send(mail(words=bad), idempotency_key="k")
        except ValueError:
            assert mailbox.mails == []
        for got in mailbox.mails:
            assert message_from_string(got["raw"], policy=policy.default)["Bcc"] is None
            assert got["recipients"] == [OWNER]


async def test_refused_address_does_not_block_others() -> None:
    mailbox = Mailbox()
    mailbox.unknown = {BOOKS}
    async with listening(mailbox) as port:
        done = await mailer(port).send(mail(OWNER, BOOKS), idempotency_key="k")
        nobody = await mailer(port).send(mail(BOOKS), idempotency_key="k")
    assert done.accepted == (OWNER,)
    assert done.refused == nobody.refused == {BOOKS: "550 5.1.1 No such mailbox"}
    assert [each["recipients"] for each in mailbox.mails] == [[OWNER]]


@pytest.mark.parametrize(
    ("fault", "error", "kept"),
    [("defer", ProviderUnavailable, 0), ("refuse", ProviderRefused, 0), ("break", OutcomeUnknown, 1)],
)
async def test_server_replies_are_distinguished(fault: str, error: type[Exception], kept: int) -> None:
    mailbox = Mailbox()
    mailbox.faults.append(fault)
    async with listening(mailbox) as port:
        with pytest.raises(error):
            await mailer(port).send(mail(), idempotency_key="k")
    assert len(mailbox.mails) == kept


async def test_unreachable_server_or_server_without_tls_gets_nothing() -> None:
    mailbox = Mailbox()
    async with listening(mailbox) as port:
        with pytest.raises(ProviderUnavailable):
            await mailer(port, tls="starttls").send(mail(), idempotency_key="k")
    with pytest.raises(ProviderUnavailable):
        await mailer(port).send(mail(), idempotency_key="k")
    assert mailbox.mails == []
