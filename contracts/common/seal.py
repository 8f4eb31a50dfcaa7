"""Result of the codec's verification of an incoming message."""

from contracts.common.base import Message


class Seal(Message):
    """The operator who was authenticated when the message was sealed, and their key.

    `/codec/encode` writes it into the sealed payload. `seal_id` is unique for each payload, so that a payload copied
    from a history and sent again is recognised.
    """

    operator: str
    key_id: str | None = None
    seal_id: str
