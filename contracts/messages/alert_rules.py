"""Messages of the sweep that evaluates alert rules."""

from datetime import datetime

from contracts.common.base import Message


class EvaluateAlertRules(Message):
    """Evaluates up to `limit` rules that were due at `now`; with `built_in`, the built-in ones."""

    now: datetime
    limit: int
    built_in: bool = False
