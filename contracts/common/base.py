"""The base of every message."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """What crosses a process boundary: frozen, and tolerant of fields that a newer sender added."""

    model_config = ConfigDict(frozen=True)


def content_of(command: Message) -> str:
    """Return the hash of a command's content, which tells a repetition from another command under the same id.

    The sender is part of the id; the time at which the command was given is no part of the content. Fields at their
    defaults are left out, so that a field that is added later does not change stored hashes.
    """
    asked = command.model_dump(mode="json", exclude={"command_id", "actor", "given_at"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps([type(command).__name__, asked], sort_keys=True).encode()).hexdigest()
