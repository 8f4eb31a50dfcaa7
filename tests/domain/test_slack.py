"""Messages for Slack: texts contain no mentions or links."""

import json

import pytest

from domain.common.errors import Invalid
from domain.common.mail import MailText
from domain.messages.slack import MAX_TEXT, checked_hook, escape_text, payload
from tests.support.cases import for_each

HOOK = "https://hooks.slack.com/services/T0/B0/s3cret"


@for_each(
    "url",
    [
        "http://hooks.slack.com/services/T0/B0/x",
        "https://hooks.slack.com.evil.example/services/T0/B0/x",
        "https://hooks.slack.com@evil.example/services/T0/B0/x",
        "https://hooks.slack.com:8443/services/T0/B0/x",
        "https://hooks.slack.com/services/../admin",
        "https://hooks.slack.com/services/T0?x=1",
        "https://hooks.slack.com/services/T0#x",
        "https://hooks.slack.com/services/T0/B0/x\r\nHost: inside",
        "https://hooks.slack.com/other/T0/B0/x",
    ],
)
def test_only_slack_addresses_are_hooks_and_errors_do_not_repeat_them(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_hook(url)
    assert refused.value.extra == {"field": "url"}
    assert url not in refused.value.detail
    assert checked_hook(HOOK) == HOOK


def test_slack_text_has_no_mentions_or_links() -> None:
    words = MailText(
        subject="<!channel> R&D",
        paragraphs=("<@U1> <https://evil.example|Bank> @here",),
        link="https://x.example/?a=1&b=|>",
    )
    sent = json.loads(payload(words, "de", unsubscribe="https://x.example/off?token=a"))
    subject, paragraph, link, context = sent["blocks"]
    assert subject["text"] == {"type": "mrkdwn", "text": "*&lt;!channel&gt; R&amp;D*", "verbatim": True}
    assert paragraph["text"]["text"] == "&lt;@U1&gt; &lt;https://evil.example|Bank&gt; @here"
    assert paragraph["text"]["verbatim"]
    assert link["text"]["text"] == "<https://x.example/?a=1&amp;b=%7C%3E|Öffnen>"
    assert context["elements"][0]["text"].startswith("<https://x.example/off?token=a|")
    assert "<" not in sent["text"]


def test_a_text_that_is_too_long_ends_between_two_characters() -> None:
    short = escape_text("&" * MAX_TEXT)
    assert len(short) <= MAX_TEXT
    assert short == "&amp;" * (short.count("&")) + "…"
