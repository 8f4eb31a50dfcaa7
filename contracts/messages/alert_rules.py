"""Messages of the sweep that evaluates alert rules."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class LookAtAlertRules(Message):
    """Evaluates up to `limit` rules that were due at `now`; with `built_in`, the built-in ones."""

    now: datetime
    limit: int
    built_in: bool = False


class LookedAtAlertRules(Counted):
    """The number of rules evaluated, or of alerts of built-in rules that changed."""


class AlertRulesProgress(Counting):
    """Progress of the sweep over rules due at `now`: the page size, and the number of rules evaluated so far."""

    now: datetime
