"""The tables of ledger checks and records by event cover every possible escrow event."""

from collections.abc import Iterator
from datetime import timedelta

from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.state import Decision, Escrow, Outcome
from domain.reputation.conduct import of_cancellation
from domain.reputation.escrow_evidence import evidence_of_event
from domain.returns.result import result_of_escrow
from services.escrow.escrow_event import AFTER, CHECKS, hold_deadline, record_evidence
from tests.support import escrows as e

DECISIONS: dict[str, Decision] = {
    "fund": lambda s, now: commands.fund(s, actor=e.PROCUREMENT, source="credits", now=now),
    "deliver": lambda s, now: commands.deliver(s, actor=e.WORKER, artifacts=(), note=None, milestone=None, now=now),
    "dispute": lambda s, now: commands.dispute(s, actor=e.FINANCE, reason="late", now=now),
    "ask": lambda s, _: commands.cancel(s, actor=e.PROCUREMENT, reason=None),
    "grant": lambda s, _: commands.cancel(s, actor=e.STUDIO, reason=None),
    "part": lambda s, _: commands.refund(s, actor=e.WORKER, amount_minor=1),
    "whole": lambda s, _: commands.refund(s, actor=e.WORKER, amount_minor=None),
    "approve": lambda s, now: commands.approve(s, signatory="finance", actor=e.FINANCE, now=now),
    "sign": lambda s, now: commands.approve(s, signatory="procurement", actor=e.PROCUREMENT, now=now),
    "score": lambda s, now: commands.validate(s, actor=e.VALIDATOR, score_e4=9_900, note=None, now=now),
    "reject": lambda s, now: commands.validate(s, actor=e.VALIDATOR, score_e4=100, note=None, now=now),
    "resolve": lambda s, now: commands.resolve(s, actor=e.ARBITER, payee_share_e4=5_000, note=None, now=now),
    "hear": lambda s, now: commands.submit_evidence(s, actor=e.FINANCE, note="x", artifacts=(), now=now),
}
#: Each is left alone at its end, so every deadline acts as well.
PATHS = (
    "",
    "fund",
    "fund ask grant",
    "fund part whole",
    "fund deliver",
    "fund deliver part deliver whole",
    "fund deliver reject score",
    "fund deliver approve sign",
    "fund deliver dispute hear resolve",
    "fund deliver dispute",
)


def steps(path: str) -> Iterator[tuple[Escrow, Outcome]]:
    now = e.T0
    held = commands.opened(e.terms(), actor=e.PROCUREMENT, now=now).escrow
    for name in path.split():
        now += timedelta(hours=1)
        outcome = DECISIONS[name](held, now)
        yield held, outcome
        held = commands.with_receipt(outcome, command_id=f"c{held.version}", now=now).escrow
    while (deadline := next_deadline(held)) is not None:
        passed = timed_exit(held, deadline.at)
        assert passed is not None
        yield held, passed
        held = commands.with_receipt(passed, command_id=f"t{held.version}", now=deadline.at).escrow


def test_every_event_records_its_evidence_and_every_deadline_checks_notes() -> None:
    recorded, timed = set[str](), set[str]()
    for before, outcome in (step for path in PATHS for step in steps(path)):
        after, event, actor = outcome.escrow, outcome.event, outcome.actor
        score_e4 = 1 if event == "validated" else None
        says = (
            result_of_escrow(before, after, event, score_e4, actor),
            evidence_of_event(before, after, event, score_e4, actor=actor),
            of_cancellation(before, after),
        )
        recorded |= {event} if any(says) else set()
        timed |= {event} if actor == "timer" else set()
    assert recorded == {event for event, follows in AFTER.items() if record_evidence in follows}
    assert timed == {event for event, check in CHECKS.items() if check is hold_deadline}
