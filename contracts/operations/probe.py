"""Messages of the probe: its two organizations, its steps, and their results."""

from contracts.common.base import Message


class PrepareProbe(Message):
    """Prepares the two organizations of a run, after cleaning up an earlier one."""

    run: str


class ProbeParties(Message):
    """Who pays and who works in a run.

    `pays`: a payment at a provider is made as well; `knocks`: the API is called from outside.
    """

    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    pays: bool = False
    knocks: bool = False


class ProbeStep(Message):
    """One step of a run; `contract_id` and `payment_id` come from earlier steps."""

    run: str
    step: str
    parties: ProbeParties
    contract_id: str | None = None
    payment_id: str | None = None


class ProbeStepResult(Message):
    """The result of a step; `why` says why it failed finally."""

    contract_id: str | None = None
    payment_id: str | None = None
    why: str | None = None


class TidyProbe(Message):
    run: str


class TidyResult(Message):
    """What was cleaned up: escrows ended, payments cancelled or refunded, earnings converted."""

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
    """How long a step took, in milliseconds, as the run saw it."""

    step: str
    ms: int


class ProbeResult(Message):
    steps: tuple[ProbeStepTime, ...]
    failed: str | None = None
    why: str | None = None
