"""The base of every message."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """What crosses a process boundary: frozen, and tolerant of fields that a newer sender added."""

    model_config = ConfigDict(frozen=True)


def content_of(command: Message) -> str:
    """Return a hash of what a command asks for, which differs from that of another command under the same id.

    Who asks is in the id. Fields at their defaults are left out, so that a field which is added later changes no hash
    that was kept.
    """
    asked = command.model_dump(mode="json", exclude={"command_id", "actor"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps([type(command).__name__, asked], sort_keys=True).encode()).hexdigest()
