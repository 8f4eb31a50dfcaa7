"""The Slack sandbox accepts what Slack accepts, shows it, and fails on request."""

from datetime import timedelta

import httpx2
import pytest

from dev.sandbox.slack.app import BURST, Posts, build
from domain.common.mail import MailText
from domain.messages.slack import payload

HOOK = "/services/T0/B0/x"


def client(posts: Posts) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(build(posts)), base_url="http://127.0.0.1:8010")


async def test_a_message_of_the_product_is_taken_and_shown_as_text() -> None:
    posts = Posts()
    words = MailText(subject="<b>Hi</b> & you", paragraphs=("<script>alert(1)</script> <!here>",))
    body = payload(words, "en", unsubscribe="https://bursar.example/off?a=1&token=x")
    async with client(posts) as http:
        assert (await http.post(HOOK, content=body)).text == "ok"
        page = (await http.get("/")).text
        assert "<b>&lt;b&gt;Hi&lt;/b&gt; &amp; you</b>" in page
        assert "<script>" not in page
        assert 'href="https://bursar.example/off?a=1&amp;token=x">Stop messages' in page
        (kept,) = (await http.get("/messages", params={"hook": HOOK})).json()
        assert kept["message"]["text"].startswith("&lt;b&gt;Hi")
        assert (await http.get("/messages", params={"hook": "/services/T0/B0/y"})).json() == []


async def test_more_than_a_burst_is_throttled_and_other_hooks_are_not() -> None:
    body = payload(MailText(subject="s", paragraphs=("p",)), "en")
    async with client(Posts()) as http:
        answers = [await http.post(HOOK, content=body) for _ in range(BURST + 1)]
        assert [each.status_code for each in answers] == [200] * BURST + [429]
        assert timedelta(seconds=int(answers[-1].headers["retry-after"])) == timedelta(seconds=1)
        assert (await http.post(HOOK + "y", content=body)).status_code == 200


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"not JSON", "invalid_payload"),
        (b"[]", "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"blocks": [{"type": "section", "text": {"text": "%s"}}]}' % (b"x" * 3_001), "invalid_blocks"),
    ],
)
async def test_sandbox_refuses_like_slack(body: bytes, word: str) -> None:
    posts = Posts()
    async with client(posts) as http:
        answer = await http.post(HOOK, content=body)
    assert (answer.status_code, answer.text, posts.posts) == (400, word, [])


async def test_revoked_hook_accepts_nothing_and_a_fault_ends_after_its_count() -> None:
    body = payload(MailText(subject="s", paragraphs=("p",)), "en")
    async with client(Posts()) as http:
        for kind in ("fail", "revoke"):
            assert (await http.post("/_control/faults", json={"kind": kind})).status_code == 200
        codes = [(await http.post(HOOK, content=body)).status_code for _ in range(3)]
        assert codes == [500, 404, 404]
        assert (await http.post(HOOK + "y", content=body)).status_code == 200
        assert (await http.post("/_control/faults", json={"kind": "no such"})).status_code == 422
