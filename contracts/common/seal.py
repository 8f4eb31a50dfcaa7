"""What the codec has verified about an incoming message."""

from contracts.common.base import Message


class Seal(Message):
    """An operator was authenticated when the message was sealed, with this key.

    `/codec/encode` writes it inside of the sealed payload, which needs an encryption key. `seal_id` is unique for each
    payload, so that a payload that is copied from a history and sent again is recognised.
    """

    operator: str
    key_id: str | None = None
    seal_id: str
