"""The kinds of mail: who receives each, and which values its text has. Pure: the caller writes amounts and days.

A mail is a kind with values; names that end in `_on` are days. The values are short texts that the product makes
itself: numbers, amounts, days, links. They never contain text from strangers, and each is one line, so no value can
inject a header.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from domain.common.mail import LANGUAGES, Formats, MailKind, MailText, Purpose
from domain.common.text import is_storable
from domain.messages.texts import TEXTS, values_of

_LINE_BREAKS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


#: The kinds that go to the contacts for security; the others go to those for billing.
_SECURITY = frozenset(
    {
        MailKind.PAYOUT_DESTINATION_CHANGED,
        MailKind.WEBHOOK_ENDPOINT_DISABLED,
        MailKind.INVITATION,
        MailKind.SIGN_IN,
        MailKind.CONTACTS_CHANGED,
    }
)


def values_of_kind(kind: MailKind) -> frozenset[str]:
    """Return the values of a kind: those of its text, `currency` with `amount`, and a link where it needs one."""
    values = values_of(TEXTS[LANGUAGES[0]].mails[kind])
    if "amount" in values:
        values |= {"currency"}
    return values | {"link"} if kind == MailKind.ACTION_REQUIRED else values


def purpose_of(kind: MailKind) -> Purpose:
    """Return the purpose of a kind of mail, which decides about its recipients."""
    return Purpose.SECURITY if kind in _SECURITY else Purpose.BILLING


def checked_values(kind: MailKind, data: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a mail, checked against its kind; each is one line, and any kind may have a `link`.

    Raises:
        ValueError: one is missing, unknown or has several lines, or the link is not of the web.
    """
    wanted = values_of_kind(kind)
    if data.keys() - {"link"} != wanted - {"link"} or not wanted <= data.keys():
        raise ValueError(f"a mail of the kind {kind} takes {sorted(wanted)}, not {sorted(data)}")
    for name, value in data.items():
        if not value.strip() or len(value) > 2000 or _LINE_BREAKS.search(value) or not is_storable(value):
            raise ValueError(f"{name} of a mail must be one line of text")
    if "link" in data and (urlsplit(data["link"]).scheme not in {"https", "http"} or " " in data["link"]):
        raise ValueError("the link of a mail must be a URL of the web")
    return dict(data)


def render_mail(kind: MailKind, data: Mapping[str, str], language: str, formats: Formats) -> MailText:
    """Write the text of a mail; `formats` is for the same language."""
    values = {
        name: formats.day(value) if name.endswith("_on") else formats.month(value) if name == "month" else value
        for name, value in data.items()
    }
    if "amount" in data:
        values["amount"] = formats.money(data["amount"], data["currency"])
    subject, *paragraphs = TEXTS[language].mails[kind]
    return MailText(
        # One line, whatever a value holds: a header ends where its line ends.
        subject=" ".join(subject.format_map(values).split()),
        paragraphs=tuple(paragraph.format_map(values) for paragraph in paragraphs),
        link=data.get("link"),
    )
