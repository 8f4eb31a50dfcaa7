"""Runs that were behind the books and caught up, kept as histories."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from domain.escrow import commands as rules
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run, tell
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment


async def caught_up(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    outcome = rules.dispute(await job.state(), actor=job.finance, reason="x", now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost-dispute")
    await job.send("resolve", job.arbiter, payee_share_e4=6000)
    return job


async def caught_up_by_a_signal(stage: Stage) -> Job:
    job = await stage.award()
    await job.open()
    outcome = rules.fund(await job.state(), actor=job.procurement, source="credits", now=datetime.now(UTC))
    await committed_behind_the_run(job, outcome, "lost-fund")
    await job.handle.signal("dispute", {"operator": "kim", "reason": "look at this"})
    await job.handle.signal("approve", {"operator": "kim", "signatory": "finance"})
    await job.handle.signal("resolve", {"operator": "kim", "payee_share": "0.5"})
    return job


async def payment_caught_up(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, open_seconds=3)
    await made.create()
    made.there.pay()
    await booked_behind_the_run(made)
    await tell(made, "refund", amount_minor=400)
    await made.handle.signal("refund", {"operator": "kim", "amount": "7.00"})
    await made.happened("command_refused")
    return made


async def payment_caught_up_by_a_signal(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, open_seconds=3)
    await made.create()
    made.there.pay()
    await booked_behind_the_run(made)
    await made.handle.signal("refund", {"operator": "kim", "amount": "4.00"})
    await made.until("partially_refunded")
    return made


RUNS: dict[str, Callable[[Stage], Awaitable[Job | PaymentDriver]]] = {
    run.__name__: run for run in (caught_up, caught_up_by_a_signal, payment_caught_up, payment_caught_up_by_a_signal)
}
