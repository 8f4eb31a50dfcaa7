"""Verifying webhooks of Bursar, signed by Standard Webhooks, and reading their events.

```
event = webhooks.verify(body, request.headers, secret)
match event.data:
    case events.EscrowReleased():
        ...
```
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from bursar import events
from bursar._errors import ConfigurationError, SignatureError
from bursar._wire import Model, parse_json

#: How old or how far ahead a webhook may be.
TOLERANCE = timedelta(minutes=5)


class Event(Model):
    """An event for one organization. Delivery is at least once: store the ids that you have handled.

    Attributes:
        id: the same each time that it is sent.
        type: what happened, such as `escrow.released`.
        organization_id: whose event it is.
        subject: the id of what it is about.
        subject_seq: its place among the events about the same subject.
        at: when it happened.
        data: a class of `bursar.events` by the type; `events.Unknown` for what this version does not know.
    """

    id: str
    type: str
    organization_id: str
    subject: str
    subject_seq: int
    at: datetime
    data: Any


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance: timedelta = TOLERANCE,
    clock: Callable[[], float] = time.time,
) -> Event:
    """Return the event of a webhook that one of the secrets signed.

    Args:
        body: as it came, before anything parses it.
        headers: of the request; their case does not matter.
        secrets: of the endpoint, `whsec_…`, or several while one is replaced; or its public key, `whpk_…`, which
            needs the extra `signatures`.
        tolerance: how old or how far ahead it may be.
        clock: the time, in seconds since 1970.

    Raises:
        SignatureError: it is not signed by one of these, too old, or no event.
        ConfigurationError: a secret is none.
    """
    content = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise SignatureError(f"The header {error.args[0]} is missing.") from None
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 13):
        raise SignatureError("The header webhook-timestamp is no time.")
    signed = f"{message_id}.{sent_at}.".encode() + content
    checks = [_check(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not any(check(signed, each) for check in checks for each in signatures.split(" ")):
        raise SignatureError("The webhook is not signed by one of the secrets.")
    if abs(clock() - int(sent_at)) > tolerance.total_seconds():
        raise SignatureError("The webhook is too old, or the clocks differ.")
    return _event(content, message_id)


def _event(content: bytes, message_id: str) -> Event:
    try:
        document = parse_json(content)
        event = Event.model_validate({**document, "data": _data(document["type"], document["data"])})
    except (ValidationError, ValueError, LookupError, TypeError) as error:
        raise SignatureError("The webhook is signed, and is no event.") from error
    if event.id != message_id:
        raise SignatureError("The webhook names another event than its header.")
    return event


def _data(kind: str, data: Any) -> Model:
    try:
        return events.BY_TYPE.get(kind, events.Unknown).model_validate(data)
    except ValidationError:
        # Of another version than this one. It is signed, so it is kept as it came.
        return events.Unknown.model_validate(data)


def _check(secret: str) -> Callable[[bytes, str], bool]:
    if secret.startswith("whsec_"):
        return _hmac(_decoded(secret.removeprefix("whsec_")))
    if secret.startswith("whpk_"):
        return _ed25519(_decoded(secret.removeprefix("whpk_")))
    raise ConfigurationError("The secret of an endpoint begins with whsec_, and its public key with whpk_.")


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:  # also binascii.Error, and UnicodeError for text that is not ASCII
        key = b""
    if len(key) < 24:
        raise ConfigurationError("The secret of an endpoint is at least 24 bytes in base 64.")
    return key


def _hmac(key: bytes) -> Callable[[bytes, str], bool]:
    def check(signed: bytes, signature: str) -> bool:
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(wanted.encode(), signature.encode(errors="replace"))

    return check


def _ed25519(key: bytes) -> Callable[[bytes, str], bool]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise ConfigurationError("Verifying by a public key needs `cryptography`, the extra `signatures`.") from error
    public = Ed25519PublicKey.from_public_bytes(key)

    def check(signed: bytes, signature: str) -> bool:
        version, _, text = signature.partition(",")
        if version != "v1a":
            return False
        try:
            public.verify(base64.b64decode(text, validate=True), signed)
        except (InvalidSignature, ValueError):
            return False
        return True

    return check
