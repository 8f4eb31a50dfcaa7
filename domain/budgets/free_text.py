"""What people and agents write about purchases: stored and shown to others, so it may hold no secret. Pure.

Forms of secrets are those that vendors publish so that scanners find them: GitHub ("Behind GitHub's new authentication
token formats"), AWS (IAM identifiers), Stripe, Slack, Google, OpenAI, Anthropic, GitLab and npm in their documentation;
PEM by RFC 7468, tokens of three parts by RFC 7519, passwords in addresses by RFC 3986, 3.2.1.
"""

import re
import unicodedata

from domain.common.errors import CardNumber, Invalid
from domain.common.ids import SUFFIX
from domain.common.text import invisible_in_name, is_storable
from domain.privacy.card_numbers import contains_card_number

_SECRETS = re.compile(
    "|".join(
        (
            rf"bs[ksl]_{SUFFIX}_[0-9a-f]{{8,}}",  # our own keys, sessions and links
            r"whsec_[0-9A-Za-z+/=_-]{16,}",
            r"(?<![0-9A-Za-z])[sr]k_(?:live|test)_[0-9A-Za-z]{6,}",
            r"(?<![0-9A-Za-z])sk-(?:[a-z]{1,12}[0-9]{0,4}-){0,3}[0-9A-Za-z_]{16,}",
            r"(?:AKIA|ASIA)[0-9A-Z]{16}",
            r"gh[pousr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,}",
            r"glpat-[0-9A-Za-z_-]{20,}|npm_[0-9A-Za-z]{36}",
            r"xox[abeprs]-[0-9A-Za-z-]{10,}",
            r"AIza[0-9A-Za-z_-]{35}",
            r"eyJ[0-9A-Za-z_-]{6,}\.eyJ[0-9A-Za-z_-]{6,}\.",
            r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----",
            r"://[^\s/@:]*:[^\s/@]+@",
        )
    )
)


def check_free_text(text: str, field: str) -> None:
    """Refuse a text that holds a card number, a secret or characters that cannot be seen.

    The text is in no message.

    Raises:
        CardNumber: it holds a card number.
        Invalid: it holds a control character, one that cannot be seen, or what has the form of a secret.
    """
    if not is_storable(text) or any(invisible_in_name(line) for line in text.split("\n") if line.strip()):
        raise Invalid(f"{field} must not contain control characters or invisible ones.", extra={"field": field})
    if contains_card_number(text):
        raise CardNumber(
            f"{field} contains what looks like a payment card number. Write its last four digits only.",
            extra={"field": field},
        )
    if _SECRETS.search(unicodedata.normalize("NFKC", text)):
        raise Invalid(
            f"{field} contains what looks like a key, a token or a password. Remove it, and replace it where it is "
            "used if others may have seen it.",
            extra={"field": field},
        )


def normalize_name(text: str) -> str:
    """Return the form in which names of vendors, categories and options are compared: without case and extra spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
