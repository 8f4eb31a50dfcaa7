"""Messages of the probe: which two organizations it plays with, its steps, and what they came to."""

from contracts.base import Message


class PrepareProbe(Message):
    """Asks for the two organizations of a run, and that nothing of an earlier run is left between them."""

    run: str


class ProbeParties(Message):
    """Who pays and who works in a run.

    `pays` tells whether a payment at a provider is made as well, `knocks` whether the API is asked from outside.
    """

    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    pays: bool = False
    knocks: bool = False


class ProbeStep(Message):
    """One step of a run; `contract_id` and `payment_id` are what the steps before it have made."""

    run: str
    step: str
    parties: ProbeParties
    contract_id: str | None = None
    payment_id: str | None = None


class ProbeStepDone(Message):
    """What a step has made; `why` says why it came to nothing, where nobody is to be asked again."""

    contract_id: str | None = None
    payment_id: str | None = None
    why: str | None = None


class TidyProbe(Message):
    """Asks that everything of the probe is brought back."""

    run: str


class TidiedProbe(Message):
    """How much was brought back: escrows that were ended, payments that were given back, earnings made credits."""

    escrows: int = 0
    payments: int = 0
    conversions: int = 0


class ReportProbe(Message):
    """What a run came to: the step that failed and why, or neither."""

    run: str
    step: str | None = None
    why: str | None = None


class ReportedProbe(Message):
    """Whether a new alert was raised."""

    raised: bool


class ProbeStepTime(Message):
    """How long a step took, in milliseconds, as the run saw it."""

    step: str
    ms: int


class ProbeResult(Message):
    """How long each step took, and which one failed and why."""

    steps: tuple[ProbeStepTime, ...]
    failed: str | None = None
    why: str | None = None
