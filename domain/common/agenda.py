"""The result of an agenda if nothing is due. An entity's own agenda is in `domain/<entity>/agenda.py`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait until the given time; `why` is shown with the timer."""

    until: datetime
    why: str
