"""The unsubscribe link in a message: a signed token of the principal, the channel and the type.

Whoever has the link can use it, and it does not expire, because mails may be read years later. It can only switch off
that type, or the types of that digest.
"""

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import SecretStr

from domain.common.errors import NotFound
from domain.messages.notification.due import parse_digest
from domain.messages.notification.types import DIGEST
from models.messages.notification import NotificationRow
from runtime.signing import SIGNATURE_LENGTH, Signer

#: What `Signer` signs these for.
PURPOSE = "unsubscribe"
PATH = "/notifications/unsubscribe"
MAX_TOKEN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscription:
    """The principal of a message, its channel and its type; `org_id` is None for the platform's people.

    `kind` is the type of the notification, or the cadence of the digest.
    """

    org_id: str | None
    principal: str
    channel_id: str
    kind: str


class UnsubscribeLinks:
    """Makes the links, and reads their tokens."""

    def __init__(self, public_url: str | None, signer: Signer) -> None:
        self._base, self._signer = (public_url or "").rstrip("/"), signer

    @classmethod
    def of(cls, public_url: str | None, keys: SecretStr | None) -> "UnsubscribeLinks":
        return cls(public_url, Signer(keys, purpose=PURPOSE))

    def link(self, wanted: Unsubscription) -> str | None:
        """Return the link; None without a public address of the API or a key to sign with."""
        if not self._base or not self._signer.signs:
            return None
        return f"{self._base}{PATH}?token={quote(self.token(wanted))}"

    def link_in(self, row: NotificationRow) -> str | None:
        """Return the link for the message of a notification, or of a digest."""
        kind = parse_digest(row.subject)[0].value if row.kind == DIGEST else row.kind
        return self.link(Unsubscription(org_id=row.org_id, principal=row.principal, channel_id=row.channel, kind=kind))

    def token(self, wanted: Unsubscription) -> str:
        """Return the signed token of an unsubscription."""
        names = [wanted.org_id, wanted.principal, wanted.channel_id, wanted.kind]
        text = base64.urlsafe_b64encode(json.dumps(names).encode()).decode().rstrip("=")
        return f"{self._signer.sign(text)}{text}"

    def read(self, token: str) -> Unsubscription:
        """Return what a token names.

        Raises:
            NotFound: it was not signed here, or for another purpose.
        """
        signature, text = token[:SIGNATURE_LENGTH], token[SIGNATURE_LENGTH:]
        if len(token) > MAX_TOKEN or not text.isascii() or not self._signer.verifies(text, signature):
            raise NotFound("The link is incomplete or invalid.")
        org_id, principal, channel_id, kind = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Unsubscription(org_id=org_id, principal=principal, channel_id=channel_id, kind=kind)
