"""The development mailbox shows mails as sent, runs nothing, and can bounce them."""

import httpx2

from dev.sandbox.mail.app import build
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import MailText
from domain.messages.mail_bounce import read_report, recipients_of
from providers.notify.base import Message
from tests.support.mails import OWNER, listening, mailer
from tests.support.receivers import answers, receiving


async def test_mail_is_shown_with_its_headers_and_bounced_on_request() -> None:
    mailbox = Mailbox()
    words = MailText(subject="<b>Hi</b>", paragraphs=("<script>alert(1)</script>",))
    async with listening(mailbox) as port:
        sender = mailer(port, return_path=lambda _: "bounce+x@bursar.example")
        off = "https://bursar.example/off?token=x"
        await sender.send(Message(to=(OWNER,), language="en", words=words, unsubscribe=off), idempotency_key="k")
    async with receiving(answers(200)) as server:
        transport = httpx2.ASGITransport(build(mailbox, 0, server.url))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            page = (await http.get("/mails/1")).text
            assert "List-Unsubscribe-Post" in page
            assert "bounce+x@bursar.example" in page
            assert "<script>" not in page
            assert "<b>Hi" not in page
            alone = await http.get("/mails/1/html")
            assert "sandbox" in alone.headers["content-security-policy"]
            assert alone.text == mailbox.mails[0]["html"]
            assert (await http.get("/mails/1/raw")).text.startswith("From: Bursar")
            assert (await http.get("/mails/1/sender")).status_code == 404
            assert (await http.post("/_control/bounces", json={"address": OWNER})).json() == {"answered": 200}
            assert (await http.post("/_control/bounces", json={"address": "x@y.example"})).status_code == 422
    (came,) = server.received
    found = read_report(came.body)
    assert found is not None
    assert (found.addresses, found.status) == ((OWNER,), "5.1.1")
    assert recipients_of(came.body) == ("bounce+x@bursar.example",)
