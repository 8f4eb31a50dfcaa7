"""The base of every message."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """What crosses a process boundary: frozen, and tolerant of fields that a newer sender added."""

    model_config = ConfigDict(frozen=True)
