"""A small workflow with every way in which a refusal can be raised."""

from datetime import timedelta

import structlog
from pydantic import BaseModel
from temporalio import activity, workflow

from contracts.common.queues import local_activity, regular_activity
from domain.common.errors import Conflict, InFlight, InsufficientFunds, NotFound, WrongState
from runtime.interceptors import domain_error_from


class Pay(BaseModel, frozen=True):
    how: str
    amount_minor: int = 0


class Paid(BaseModel, frozen=True):
    text: str


class Books:
    def __init__(self) -> None:
        self.attempts = 0
        self.contexts: list[dict[str, object]] = []

    @activity.defn
    async def post(self, message: Pay) -> Paid:
        self.attempts += 1
        self.contexts.append(dict(structlog.contextvars.get_contextvars()))
        structlog.get_logger("bursar.books").info("posting", amount_minor=message.amount_minor)
        if message.how == "poor":
            raise InsufficientFunds("Not enough credits.", extra={"available": "1.00"})
        if message.how == "busy" and self.attempts < 3:
            raise InFlight("Still running.")
        if message.how == "outage" and self.attempts < 3:
            raise ConnectionError("the database is away")
        return Paid(text=f"posted {message.amount_minor}")


@workflow.defn(name="sample")
class SampleWorkflow:
    @workflow.init
    def __init__(self, message: Pay) -> None:
        self.done = False
        self.seen: list[str] = []

    @workflow.run
    async def run(self, message: Pay) -> Paid:
        await workflow.wait_condition(lambda: self.done)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return Paid(text=",".join(self.seen))

    @workflow.update
    async def pay(self, message: Pay) -> Paid:
        workflow.logger.info("paying", extra={"how": message.how})
        if message.how == "narrowed":
            raise Conflict("Signed already.", code="escrow.not_a_signatory", extra={"state": "funded"})
        if message.how == "caught":
            try:
                await workflow.execute_local_activity_method(Books.post, Pay(how="poor"), **local_activity("post"))
            except Exception as error:
                refusal = domain_error_from(error)
                assert refusal is not None
                return Paid(text=f"caught {refusal.error_code}")
        if message.how.startswith("regular "):
            inner = Pay(how=message.how.removeprefix("regular "), amount_minor=message.amount_minor)
            options = regular_activity("provider", timeout=timedelta(minutes=1))
            return await workflow.execute_activity_method(Books.post, inner, **options)
        return await workflow.execute_local_activity_method(Books.post, message, **local_activity("post to the books"))

    @pay.validator
    def check_pay(self, message: Pay) -> None:
        if message.how == "refused":
            raise WrongState("The escrow is released.", extra={"state": "released"})
        if message.how == "narrow":
            raise NotFound("No such thing.")

    @workflow.signal
    async def notify(self, message: Pay) -> None:
        self.seen.append(message.how)
        if message.how == "refused":
            raise WrongState("The escrow is released.", extra={"state": "released"})
        if message.how == "poor":
            await workflow.execute_local_activity_method(Books.post, message, **local_activity("post"))

    @workflow.signal
    async def finish(self) -> None:
        self.done = True
