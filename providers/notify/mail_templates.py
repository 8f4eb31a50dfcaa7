"""Renders mails as HTML and plain text, with templates that an operator can replace.

A template has placeholders such as `$subject`, and no logic. Values are escaped before they are filled in, so neither a
template nor a user's text can execute anything. docs/guides/notifications.md lists the placeholders.
"""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from domain.messages.texts import TEXTS
from providers.notify.base import Message

#: The templates that come with the product; an operator's folder has one or both, by the same names.
TEMPLATES = Path(__file__).parent / "templates"
HTML, TEXT = "mail.html", "mail.txt"
#: The required placeholders: the text, and the link to unsubscribe.
_NEEDED = frozenset({"platform", "paragraphs", "link", "unsubscribe"})
_KNOWN = _NEEDED | {"language", "subject", "footer"}


class InvalidTemplate(ValueError):
    """A template cannot be used: the text says which one and why."""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """A mail as plain text and as HTML; lines end with a line feed."""

    text: str
    html: str


class MailTemplates:
    """Writes mails in the name of a platform."""

    def __init__(self, platform: str, folder: Path | None = None) -> None:
        """Take the platform's name, and an operator's folder.

        Raises:
            WrongTemplate: a template cannot be read, lacks a place, or has one that nothing fills.
        """
        self._platform = platform
        self._html, self._text = _read(folder, HTML), _read(folder, TEXT)

    def render(self, message: Message) -> RenderedMail:
        """Write a message as a mail."""
        words, said = message.words, TEXTS[message.language].phrases
        values = {
            "language": message.language,
            "platform": self._platform,
            "subject": words.subject,
            "footer": said["footer"].format(platform=self._platform),
        }
        unsubscribe = message.unsubscribe
        html = self._html.substitute(
            {name: escape(value) for name, value in values.items()},
            paragraphs="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in words.paragraphs),
            link="" if words.link is None else _button(words.link, said["open"]),
            unsubscribe="" if unsubscribe is None else f"<br>{_anchor(unsubscribe, said['stop_mails'])}",
        )
        text = self._text.substitute(
            values,
            paragraphs="\n\n".join(words.paragraphs),
            link=words.link or "",
            unsubscribe="" if unsubscribe is None else f"{said['stop_mails']}: {unsubscribe}",
        )
        return RenderedMail(text=re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n", html=html)


def _anchor(url: str, text: str, *, kind: str = "") -> str:
    return f'<a{kind} href="{escape(url)}">{escape(text)}</a>'


def _button(url: str, text: str) -> str:
    """Return a link as a button, with its address below it for copying."""
    button = _anchor(url, text, kind=' class="button"')
    return f'{button}\n<p class="address">{_anchor(url, url)}</p>'


def _read(folder: Path | None, name: str) -> Template:
    own = None if folder is None else folder / name
    path = own if own is not None and own.is_file() else TEMPLATES / name
    try:
        template = Template(path.read_text("utf-8"))
        places = set(template.get_identifiers())
        valid = template.is_valid()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTemplate(f"{path} cannot be read: {type(error).__name__}.") from None
    if not valid:
        raise InvalidTemplate(f"{path} has a dollar sign that begins no place. Write $$ for the sign itself.")
    if unknown := sorted(places - _KNOWN):
        raise InvalidTemplate(f"{path} has the place ${unknown[0]}, which nothing fills.")
    if missing := sorted(_NEEDED - places):
        raise InvalidTemplate(f"{path} lacks the place ${missing[0]}.")
    return template
