"""A batch for tests: the bills of a period, each sent by a child."""

import asyncio
from collections import Counter
from functools import partial

from temporalio import activity, workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from contracts.common.base import Message
from contracts.common.queues import TASK_TIMEOUT, regular_activity
from workflows.common.batch import through_pages, window

PAGE, AT_ONCE = 4, 2


class Bill(Message):
    period: str
    number: int


class BillPage(Message):
    numbers: tuple[int, ...]


class PageSent(Message):
    last: int
    found: int
    failed: int


class BillingProgress(Message):
    period: str
    last: int = 0
    found: int = 0
    failed: int = 0

    def plus(self, done: PageSent) -> "BillingProgress":
        counted = {"found": self.found + done.found, "failed": self.failed + done.failed}
        return self.model_copy(update={"last": done.last, **counted})

    def is_last(self, done: PageSent) -> bool:
        return done.found < PAGE


class Bills:
    """Bills in memory, one of which cannot be sent."""

    def __init__(self, count: int, unsendable: int) -> None:
        self.numbers, self.unsendable = range(1, count + 1), unsendable
        self.tried = Counter[int]()
        self.under_way = 0
        self.holds_at: int | None = None
        self.held, self.may_read, self.may_send = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_read.set()
        self.may_send.set()

    @activity.defn(name="read_bills")
    async def read(self, progress: BillingProgress) -> BillPage:
        if progress.last == self.holds_at:
            self.held.set()
            await self.may_read.wait()
        return BillPage(numbers=tuple(number for number in self.numbers if number > progress.last)[:PAGE])

    @activity.defn(name="send_bill")
    async def send(self, bill: Bill) -> None:
        self.tried[bill.number] += 1
        self.under_way += 1
        await self.may_send.wait()
        self.under_way -= 1
        if bill.number == self.unsendable:
            raise ApplicationError("There is no address.", non_retryable=True)


@workflow.defn(name="bill")
class BillRun:
    @workflow.run
    async def run(self, bill: Bill) -> None:
        await workflow.execute_activity_method(Bills.send, bill, **regular_activity("send"))


@workflow.defn(name="billing")
class BillingRun:
    @workflow.run
    async def run(self, progress: BillingProgress) -> BillingProgress:
        return await through_pages(progress, self._page)

    async def _page(self, progress: BillingProgress) -> PageSent:
        page = await workflow.execute_activity_method(Bills.read, progress, **regular_activity("read"))
        bills = [Bill(period=progress.period, number=number) for number in page.numbers]
        sent = await window((partial(self._send, bill) for bill in bills), at_once=AT_ONCE)
        last = page.numbers[-1] if page.numbers else progress.last
        return PageSent(last=last, found=len(sent), failed=sum(isinstance(each, BaseException) for each in sent))

    async def _send(self, bill: Bill) -> None:
        try:
            await workflow.execute_child_workflow(
                BillRun.run,
                bill,
                id=f"bill/{bill.period}/{bill.number}",
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                task_timeout=TASK_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return
