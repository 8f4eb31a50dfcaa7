"""Server-sent events, as the stream of changes sends them."""

import json
from collections.abc import Iterator
from typing import Any

#: The stream says something every 15 seconds, and ends after 15 minutes.
QUIET_SECONDS = 45.0
AGAIN_SECONDS = 2.0


class Events:
    """Reads events from text that comes in pieces."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = ""

    def read(self, text: str) -> Iterator[tuple[str, Any]]:
        """Return the name and the data of each event that ends with this piece; comments are none."""
        *whole, self._rest = (self._rest + text.replace("\r\n", "\n")).split("\n\n")
        for block in whole:
            fields = dict(
                line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":")
            )
            if "event" in fields and "data" in fields:
                yield fields["event"], json.loads(fields["data"])


def changed(name: str, content: Any, known: dict[str, Any]) -> list[str]:
    """Return the topics that an event says have changed; `known` keeps the marks over connections."""
    if name == "changed":
        topic = content["topic"]
        # What its mark is now, is not said: the next connection says it once more.
        known[topic] = None
        return [topic]
    if name != "marks":
        return []
    topics = [topic for topic, mark in content.items() if topic not in known or known[topic] != mark]
    known.update(content)
    return topics
