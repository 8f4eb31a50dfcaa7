"""Channels of notifications. Everybody has an inbox; mail and Slack channels are created and verified. Pure."""

import hashlib
import hmac
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.errors import CodeRefused, Conflict, Invalid, NotificationCodesExhausted
from domain.common.mail import checked_address
from domain.messages.slack import HOOK_PREFIX, checked_hook

#: The channel that everybody has, by its name in preferences and notifications.
INBOX = "inbox"
#: How many channels a principal can have.
MAX_CHANNELS = 10
#: How long a code is valid, the maximum number of tries, and of codes to one address within an hour.
CODE_LASTS, CODE_TRIES, CODES_AN_HOUR = timedelta(minutes=30), 5, 3
HOUR = timedelta(hours=1)
#: The maximum number of codes to a principal within a day, over all channels including deleted ones. A new channel has
#: five new tries, so this limits guesses at a code to 50 in a million.
CODES_A_DAY = 10
MAX_HOOK = 330


class ChannelKind(StrEnum):
    """The kind of a channel."""

    MAIL = "mail"
    SLACK = "slack"


class ChannelStatus(StrEnum):
    """`pending`: its code is awaited; `verified`: in use; `deleted`: by its principal, or with its last key."""

    PENDING = "pending"
    VERIFIED = "verified"
    DELETED = "deleted"


class KeysMissing(Conflict):
    """No encryption key is set to seal a channel's address, or to sign what is sent to it."""

    code = "notification.keys_missing"

    def __init__(self) -> None:
        super().__init__("The platform has no key to seal channels with. The operator sets BURSAR_ENCRYPTION_KEYS.")


def checked_target(kind: ChannelKind, target: str, *, hooks: str = HOOK_PREFIX) -> str:
    """Return the target of a channel as stored; `hooks` is the prefix of Slack URLs.

    Raises:
        Invalid: no mail can be sent to the address, or the URL is not that of a Slack hook.
    """
    if kind is ChannelKind.MAIL:
        try:
            return checked_address(target)
        except Invalid as refusal:
            raise Invalid(refusal.detail, extra={"field": "address"}) from None
    return checked_hook(target, hooks=hooks)


def masked_target(kind: ChannelKind, target: str) -> str:
    """Return the part of a channel's target that is shown: an address, or the part of a hook that is not secret."""
    if kind is ChannelKind.MAIL:
        return target
    scheme, _, host, _ = target.split("/", 3)
    return f"{scheme}//{host}/…{target[-4:]}"


def digest_of_target(kind: ChannelKind, target: str) -> str:
    """Return the digest by which a target is recognised; for mail it ignores case."""
    text = target.casefold() if kind is ChannelKind.MAIL else target
    return hashlib.sha256(f"{kind.value}:{text}".encode()).hexdigest()


def check_code_can_be_sent(*, to_target: list[datetime], to_principal: list[datetime], now: datetime) -> None:
    """Check the limits of sent codes.

    Args:
        to_target: when codes were sent to this target, for any principal.
        to_principal: when codes were sent to any of the principal's channels.
        now: of the request.

    Raises:
        RateLimited: `notification.codes_exhausted`; says when another one can be sent.
    """
    for sent, most, within in ((to_target, CODES_AN_HOUR, HOUR), (to_principal, CODES_A_DAY, 24 * HOUR)):
        recent = sorted(each for each in sent if each > now - within)
        if len(recent) >= most:
            wait = recent[-most] + within - now
            raise NotificationCodesExhausted(
                "Too many codes were sent. Ask for another one after the time in Retry-After.",
                extra={"retry_after": max(1, int(wait.total_seconds()) + 1)},
            )


def code_problem(
    held: str | None, given: str, *, sent_at: datetime | None, tries: int, now: datetime
) -> Conflict | None:
    """Return why a code is refused, None if it is right; the caller counts the try first.

    Args:
        held: the code that was sent; None if it cannot be decrypted, or there is none.
        given: the entered code.
        sent_at: when the code was made.
        tries: the number of earlier tries.
        now: of the request.
    """
    if held is None or sent_at is None or now - sent_at >= CODE_LASTS:
        return CodeRefused("The code has expired. Ask for another one.", extra={"reason": "expired"})
    if tries >= CODE_TRIES:
        return CodeRefused("The code was tried too often. Ask for another one.", extra={"reason": "tries"})
    if not hmac.compare_digest(held.encode(), given.encode()):
        left = CODE_TRIES - tries - 1
        return CodeRefused(
            "The code is wrong. Enter the code that was sent last.", extra={"reason": "wrong", "tries_left": left}
        )
    return None
