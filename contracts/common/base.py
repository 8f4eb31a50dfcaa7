"""The base of every message."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Message across a process boundary: frozen, and tolerant of unknown fields of newer senders."""

    model_config = ConfigDict(frozen=True)


def content_of(command: Message) -> str:
    """Return the hash of a command's content, to distinguish a repetition from another command with the same id.

    The sender is part of the id; the command's time is not hashed. Fields at their defaults are left out, so that new
    fields do not change stored hashes.
    """
    asked = command.model_dump(mode="json", exclude={"command_id", "actor", "given_at"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps([type(command).__name__, asked], sort_keys=True).encode()).hexdigest()
