"""What Slack is sent by an incoming webhook: where to, and a text in which nothing is a mention. Pure.

The escapes and the limits are those of Slack's documentation (https://docs.slack.dev, "Formatting message text",
"Sending messages using incoming webhooks").
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from domain.common.errors import Invalid
from domain.common.mail import MailText
from domain.messages.texts import TEXTS

#: What each address of a hook begins with.
HOOK_PREFIX = "https://hooks.slack.com/"
#: A block's longest text, in characters after it was escaped; of blocks, there are at most 50.
MAX_TEXT = 3_000
MAX_PARAGRAPHS = 40
#: No dot and no `%`, so no path leads out of its folder, and no host, query or fragment can follow.
_PATH = re.compile(r"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{1,300}")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def checked_hook(url: str, *, hooks: str = HOOK_PREFIX) -> str:
    """Return the address of an incoming webhook.

    Args:
        url: as sent by the caller; it is a secret, and never part of an error.
        hooks: what it must begin with; a stand-in has another one.

    Raises:
        Invalid: it is not such an address.
    """
    if not url.startswith(hooks) or _PATH.fullmatch(url.removeprefix(hooks)) is None:
        raise Invalid(f"A URL of Slack must have the form {hooks}services/T…/B…/….", extra={"field": "url"})
    return url


def escape_text(text: str, *, most: int = MAX_TEXT) -> str:
    """Return a text that Slack shows as it is: no mention, no link, at most so long; an entity is never cut in two."""
    parts, size = list[str](), 0
    for character in text:
        part = _ESCAPES.get(character, character)
        size += len(part)
        if size >= most:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)


def payload(words: MailText, language: str, *, unsubscribe: str | None = None) -> bytes:
    """Write a message as the JSON that a hook takes."""
    phrases = TEXTS[language].phrases
    paragraphs = [escape_text(paragraph) for paragraph in words.paragraphs[:MAX_PARAGRAPHS]]
    blocks = [_section(f"*{escape_text(words.subject, most=200)}*"), *(_section(text) for text in paragraphs)]
    if words.link is not None:
        blocks.append(_section(_link(words.link, phrases["open"])))
    if unsubscribe is not None:
        blocks.append({"type": "context", "elements": [_text(_link(unsubscribe, phrases["stop_messages"]))]})
    document = {
        # What a notification of a phone shows, and a client that knows no blocks.
        "text": _plain([words.subject, *words.paragraphs]),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(document).encode()


def _plain(parts: Sequence[str]) -> str:
    return escape_text("\n".join(parts))


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> Mapping[str, Any]:
    # Verbatim: neither `#channel`, `@here` nor a bare address becomes a link.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _link(url: str, words: str) -> str:
    """Write a link; what could end its address early is written in percent."""
    safe = "".join(f"%{ord(each):02X}" if each in "<>|" else each for each in url)
    return f"<{safe.replace('&', '&amp;')}|{words}>"
