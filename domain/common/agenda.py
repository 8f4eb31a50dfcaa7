"""The result of an agenda if nothing is due. An entity's own agenda is in `domain/<entity>/agenda.py`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing is due until then; `why` is shown beside the timer."""

    until: datetime
    why: str
