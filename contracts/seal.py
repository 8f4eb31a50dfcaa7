"""What the codec vouches for when a message arrives."""

from contracts.base import Message


class Seal(Message):
    """Says that an operator was authenticated when the message was sealed, and by which key.

    `/codec/encode` writes it inside of the sealed payload, where nobody without an encryption key can. `seal_id` is new
    for each payload, so that one that is copied out of a history and sent again is known.
    """

    operator: str
    key_id: str | None = None
    seal_id: str
