"""Messages of the sweep that looks at the figures of alert rules."""

from datetime import datetime

from contracts.base import Message
from contracts.batch import Counted, Counting


class LookAtAlertRules(Message):
    """Looks at up to `limit` rules that were due at `now`; with `built_in`, at those that everybody has."""

    now: datetime
    limit: int
    built_in: bool = False


class LookedAtAlertRules(Counted):
    """How many rules there were, or how many alerts of built-in ones changed."""


class AlertRulesProgress(Counting):
    """Where the sweep stands: what is due at `now`, so many at a time, and how many rules it looked at so far."""

    now: datetime
