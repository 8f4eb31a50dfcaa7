"""What the contract of entities asks of each one: how it begins, how it comes to each state, and what it is told.

A new entity is one more `Entity` in `ENTITIES` (docs/recipes/add-a-process.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import WorkflowHandle

from contracts.base import Message
from contracts.escrow import (
    ApproveEscrow,
    ApproveSignal,
    CancelEscrow,
    CancelSignal,
    CommandResult,
    DeliverEscrow,
    DisputeEscrow,
    DisputeSignal,
    EscrowInput,
    FundEscrow,
    OpenEscrow,
    RefundEscrow,
    ResolveEscrow,
    ResolveSignal,
    SubmitEvidence,
    ValidateEscrow,
)
from contracts.payment import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePaymentCommand,
    GiveUpRefund,
    GiveUpSignal,
    PaymentCommandResult,
    PaymentSignal,
    ProviderEventSignal,
    RefundPayment,
    RefundSignal,
    SubmitDisputeEvidence,
)
from contracts.runs import Run, escrow_run, payment_run
from domain.escrow import commands as rules
from repositories import escrow as escrows
from repositories import payment as payments
from runtime.identity import new_id
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, till


class Subject(Protocol):
    """One entity on the stage."""

    stage: Stage

    @property
    def handle(self) -> WorkflowHandle[Any, Any]: ...

    async def state(self) -> Any: ...

    async def kinds(self) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class State:
    """A state in which the run of an entity waits, and what becomes of it there.

    Attributes:
        name: as the books have it.
        follows: the state that it is entered from; None for the first one.
        enter: brings an entity there by its run.
        write: has the books hold it without telling the run; None where no test needs that.
        left_alone: how the entity ends when nobody acts.
        cancelled: the state after a cancellation of the run; None where that is refused.
    """

    name: str
    follows: str | None = None
    enter: Callable[[Any], Awaitable[object]]
    write: Callable[[Any], Awaitable[object]] | None = None
    left_alone: str
    cancelled: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """A message to an entity's run, and what comes of it in a state that takes it.

    Attributes:
        kind, name: how the run declares it.
        state: where it is taken.
        message: what it carries.
        event: the event that it leaves in the timeline.
        refused: the code of its refusal, for an update whose success is tested elsewhere.
        prepare: what has to happen elsewhere before.
    """

    kind: Literal["update", "signal"]
    name: str
    state: str
    message: Callable[[Any], Message]
    event: str | None = None
    refused: str | None = None
    prepare: Callable[[Any], object] = lambda one: None


@dataclass(frozen=True, kw_only=True)
class Entity:
    """An entity, as the contract sees it.

    Attributes:
        name: of its workflow.
        make: puts one on the stage; its run begins with the first state. Takes changes of its terms.
        run: says how the run of one is found and started again from the books.
        lock: keeps everybody else from writing one, until the transaction ends.
        result: what its updates are answered with.
        lasts: longer than any time that it waits for.
        states: in which its run waits.
        messages: each that its run declares, but `catch_up`.
        ending: the update after which nothing is awaited any more.
        ends_at_once: the terms under which its run then ends at once.
    """

    name: str
    make: Callable[..., Awaitable[Any]]
    run: Callable[[Any], Run]
    lock: Callable[[AsyncSession, Any], Awaitable[object]]
    result: type
    lasts: timedelta
    states: tuple[State, ...]
    messages: tuple[Inbound, ...]
    ending: str
    ends_at_once: Mapping[str, Any] = field(default_factory=dict)

    def state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)

    async def brought(self, stage: Stage, name: str, **terms: Any) -> Any:
        """Put one on the stage and bring it to a state by its run."""
        one = await self.make(stage, **terms)
        way = [self.state(name)]
        while way[0].follows is not None:
            way.insert(0, self.state(way[0].follows))
        for state in way:
            await state.enter(one)
        return one


# The escrow -----------------------------------------------------------------------------------------------------------


def _given(job: Job, actor: str) -> dict[str, Any]:
    return {"command_id": new_id("cmd"), "actor": getattr(job, actor)}


def _escrow_run(job: Job) -> Run:
    return escrow_run(EscrowInput(terms=job.terms, opened_by=job.procurement, command_id="again", resume=True))


async def _fund(job: Job) -> None:
    now = datetime.now(UTC)
    funded = rules.fund(await job.state(), actor=job.procurement, source="credits", now=now)
    await committed_behind_the_run(job, funded, new_id("cmd"))


async def _deliver(job: Job) -> None:
    now = datetime.now(UTC)
    work = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=now)
    await committed_behind_the_run(job, work, new_id("cmd"))


async def _dispute(job: Job) -> None:
    disputed = rules.dispute(await job.state(), actor=job.finance, reason="late", now=datetime.now(UTC))
    await committed_behind_the_run(job, disputed, new_id("cmd"))


ESCROW = Entity(
    name="escrow",
    make=lambda stage, **terms: stage.award(**terms),
    run=_escrow_run,
    lock=lambda session, job: escrows.lock(session, job.terms.escrow_id, "none"),
    result=CommandResult,
    lasts=timedelta(days=30),
    ending="cancel",
    states=(
        State(name="open", enter=Job.open, left_alone="cancelled", cancelled="cancelled"),
        State(
            name="funded",
            follows="open",
            enter=lambda job: job.send("fund", job.procurement),
            write=_fund,
            left_alone="refunded",
            cancelled="cancelled",
        ),
        State(
            name="delivered",
            follows="funded",
            enter=lambda job: job.send("deliver", job.bot),
            write=_deliver,
            left_alone="released",
        ),
        State(
            name="disputed",
            follows="delivered",
            enter=lambda job: job.send("dispute", job.finance, reason="late"),
            write=_dispute,
            left_alone="split",
        ),
    ),
    messages=(
        Inbound(
            kind="update",
            name="open",
            state="open",
            message=lambda job: OpenEscrow(command_id="again", actor=job.procurement),
            event="opened",
        ),
        Inbound(
            kind="update",
            name="fund",
            state="open",
            message=lambda job: FundEscrow(**_given(job, "procurement")),
            event="funded",
        ),
        Inbound(
            kind="update",
            name="deliver",
            state="funded",
            message=lambda job: DeliverEscrow(**_given(job, "bot")),
            event="delivered",
        ),
        Inbound(
            kind="update",
            name="validate",
            state="delivered",
            message=lambda job: ValidateEscrow(**_given(job, "validator"), score_e4=9_000),
            event="validated",
        ),
        Inbound(
            kind="update",
            name="approve",
            state="delivered",
            message=lambda job: ApproveEscrow(**_given(job, "finance")),
            event="approved",
        ),
        Inbound(
            kind="update",
            name="dispute",
            state="delivered",
            message=lambda job: DisputeEscrow(**_given(job, "finance"), reason="late"),
            event="disputed",
        ),
        Inbound(
            kind="update",
            name="submit_evidence",
            state="disputed",
            message=lambda job: SubmitEvidence(**_given(job, "bot"), note="as agreed"),
            event="evidence_submitted",
        ),
        Inbound(
            kind="update",
            name="resolve",
            state="disputed",
            message=lambda job: ResolveEscrow(**_given(job, "arbiter"), payee_share_e4=6_000),
            event="resolved",
        ),
        Inbound(
            kind="update",
            name="refund",
            state="delivered",
            message=lambda job: RefundEscrow(**_given(job, "bot")),
            event="refunded",
        ),
        Inbound(
            kind="update",
            name="cancel",
            state="open",
            message=lambda job: CancelEscrow(**_given(job, "procurement")),
            event="cancelled",
        ),
        Inbound(
            kind="signal",
            name="approve",
            state="delivered",
            message=lambda job: ApproveSignal(operator="kim", signatory="finance"),
            event="approved",
        ),
        Inbound(
            kind="signal",
            name="dispute",
            state="delivered",
            message=lambda job: DisputeSignal(operator="kim"),
            event="disputed",
        ),
        Inbound(
            kind="signal",
            name="resolve",
            state="disputed",
            message=lambda job: ResolveSignal(operator="kim", payee_share="0.5"),
            event="resolved",
        ),
        Inbound(
            kind="signal",
            name="cancel",
            state="funded",
            message=lambda job: CancelSignal(operator="kim"),
            event="cancelled",
        ),
    ),
)


# The payment ----------------------------------------------------------------------------------------------------------


def _asked(made: PaymentDriver) -> dict[str, Any]:
    return {"command_id": new_id("cmd"), "actor": made.actor}


def _of_dispute(made: PaymentDriver) -> str:
    return next(iter(made.there.disputes), "du_none")


async def _authorized(made: PaymentDriver) -> None:
    made.there.authorize()
    await made.told()


async def _paid(made: PaymentDriver) -> None:
    made.there.pay()
    await made.told()


async def _charged_back(made: PaymentDriver) -> None:
    made.there.dispute()
    await made.told()


async def _authorized_behind(made: PaymentDriver) -> None:
    made.there.authorize()
    await booked_behind_the_run(made)


async def _paid_behind(made: PaymentDriver) -> None:
    made.there.pay()
    await booked_behind_the_run(made)


async def _charged_back_behind(made: PaymentDriver) -> None:
    made.there.dispute()
    await booked_behind_the_run(made)


async def _payment(stage: Stage, **terms: Any) -> PaymentDriver:
    # Polls would have news without being told of them, and wake a run before its deadline does.
    quiet = {"first_poll_seconds": 864_000, "longest_poll_seconds": 864_000}
    return await till(stage, **{"manual_capture": True, **quiet, **terms})


PAYMENT = Entity(
    name="payment",
    make=_payment,
    run=lambda made: payment_run(made.start(resume=True)),
    lock=lambda session, made: payments.lock(session, made.terms.payment_id),
    result=PaymentCommandResult,
    lasts=timedelta(hours=24),
    ending="cancel",
    ends_at_once={"open_seconds": 0},
    states=(
        State(name="requires_action", enter=PaymentDriver.create, left_alone="expired", cancelled="cancelled"),
        State(
            name="requires_capture",
            follows="requires_action",
            enter=_authorized,
            write=_authorized_behind,
            left_alone="expired",
            cancelled="cancelled",
        ),
        State(name="succeeded", follows="requires_action", enter=_paid, write=_paid_behind, left_alone="succeeded"),
        State(
            name="disputed",
            follows="succeeded",
            enter=_charged_back,
            write=_charged_back_behind,
            left_alone="disputed",
        ),
    ),
    messages=(
        Inbound(
            kind="update",
            name="create",
            state="requires_action",
            message=lambda made: CreatePaymentCommand(command_id=made.command_id, actor=made.actor),
            event="created",
        ),
        Inbound(
            kind="update",
            name="confirm",
            state="requires_action",
            message=lambda made: ConfirmPayment(**_asked(made), method_ref="pm_ok"),
            event="progressed",
        ),
        Inbound(
            kind="update",
            name="capture",
            state="requires_capture",
            message=lambda made: CapturePayment(**_asked(made), amount_minor=600),
            event="received",
        ),
        Inbound(
            kind="update",
            name="cancel",
            state="requires_action",
            message=lambda made: CancelPayment(**_asked(made)),
            event="cancelled",
        ),
        Inbound(
            kind="update",
            name="refund",
            state="succeeded",
            message=lambda made: RefundPayment(**_asked(made), refund_id=new_id("rfd"), amount_minor=400),
            event="refund_requested",
        ),
        Inbound(
            kind="update",
            name="give_up",
            state="succeeded",
            message=lambda made: GiveUpRefund(**_asked(made), refund_id="rfd_none", reason="not there"),
            refused="not_found",
        ),
        Inbound(
            kind="update",
            name="submit_evidence",
            state="disputed",
            message=lambda made: SubmitDisputeEvidence(
                **_asked(made), dispute_ref=_of_dispute(made), text="It was delivered."
            ),
            event="evidence_submitted",
        ),
        Inbound(
            kind="signal",
            name="provider_event",
            state="requires_action",
            message=lambda made: ProviderEventSignal(event_id=new_id("evt")),
            prepare=lambda made: made.there.pay(),
            event="received",
        ),
        Inbound(
            kind="signal",
            name="look",
            state="requires_action",
            message=lambda made: PaymentSignal(operator="kim"),
            prepare=lambda made: made.there.pay(),
            event="received",
        ),
        Inbound(
            kind="signal",
            name="refund",
            state="succeeded",
            message=lambda made: RefundSignal(operator="kim", amount="4.00"),
            event="refund_requested",
        ),
        Inbound(
            kind="signal",
            name="give_up",
            state="succeeded",
            message=lambda made: GiveUpSignal(operator="kim", reason="not there", at_provider=False),
            event="command_refused",
        ),
        Inbound(
            kind="signal",
            name="cancel",
            state="requires_action",
            message=lambda made: PaymentSignal(operator="kim"),
            event="cancelled",
        ),
    ),
)

ENTITIES: tuple[Entity, ...] = (ESCROW, PAYMENT)
