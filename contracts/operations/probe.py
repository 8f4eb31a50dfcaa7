"""Messages of the probe: its two organizations, its steps, and their results."""

from contracts.common.base import Message


class PrepareProbe(Message):
    """Prepares the two organizations of a run, after cleaning up an earlier one."""

    run: str


class ProbeParties(Message):
    """Payer and payee of a run.

    `pays`: whether a payment at a provider is part of the run; `knocks`: whether the public address is checked.
    """

    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    pays: bool = False
    knocks: bool = False


class ProbeStep(Message):
    """Step of a run; `contract_id` and `payment_id` come from earlier steps."""

    run: str
    step: str
    parties: ProbeParties
    contract_id: str | None = None
    payment_id: str | None = None


class ProbeStepResult(Message):
    """Result of a step; `why` is the reason of a final failure."""

    contract_id: str | None = None
    payment_id: str | None = None
    why: str | None = None


class TidyProbe(Message):
    run: str


class TidyResult(Message):
    """Result of a cleanup: numbers of ended escrows, cancelled or refunded payments, and conversions."""

    escrows: int = 0
    payments: int = 0
    conversions: int = 0


class ReportProbe(Message):
    run: str
    step: str | None = None
    why: str | None = None


class ProbeReportResult(Message):
    raised: bool


class ProbeStepTime(Message):
    """Duration of a step in milliseconds, measured by the run."""

    step: str
    ms: int


class ProbeResult(Message):
    steps: tuple[ProbeStepTime, ...]
    failed: str | None = None
    why: str | None = None
