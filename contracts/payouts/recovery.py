"""Progress of recovering what creators earned from payments that were refunded or charged back."""

from collections.abc import Mapping
from typing import ClassVar

from contracts.common.batch import StepProgress


class EarningsRecovery(StepProgress):
    counters: ClassVar[Mapping[str, str]] = {"recoveries": "recovered", "reversals": "reversed"}

    step: str = "recoveries"
    recovered: int = 0
    reversed: int = 0
