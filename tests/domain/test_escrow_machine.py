"""Random walks through the escrow's rules: whatever is tried in whatever order, the books and the table hold."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import DomainError
from domain.escrow import commands
from domain.escrow.actions import NEEDS, Parameters, preview_commands
from domain.escrow.booking import accounts_of
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.presentation import details, summary
from domain.escrow.signing import DeliveryRequired
from domain.escrow.state import (
    ALLOWED,
    FINAL,
    TRANSITIONS,
    Escrow,
    EscrowStatus,
    Milestone,
    Outcome,
    signatory_name,
)
from domain.messages.events import check
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.events.escrow import escrow_events
from tests.lanes import examples
from tests.support import escrows as e

PAYMENT = "pay_01kar6h2d8e4wvq3r5s7t9x1zy"
CHARGEBACK = Actor(principal=commands.payment_source(PAYMENT), role=Role.OPERATOR)
ACTORS = st.sampled_from(
    [
        e.PROCUREMENT,
        e.FINANCE,
        e.AUDIT_FIRM,
        e.STUDIO,
        e.WORKER,
        e.OTHER_BOT,
        e.VALIDATOR,
        e.ARBITER,
        e.OPERATOR,
        e.STRANGER,
    ]
)
SOURCES = ("credits", "balance", commands.payment_source(PAYMENT), "payment:", "payment:pay_1", "cash", "")


class EscrowMachine(RuleBasedStateMachine):
    """Keeps its own account of where the money is and compares."""

    @initialize(
        amount=st.integers(1, 10**9),
        bps=st.sampled_from([0, 1, 500, 9_999, 10_000]),
        required=st.integers(1, 3),
        threshold=st.none() | st.integers(0, 10_000),
        default_share=st.integers(0, 10_000),
        parts=st.integers(0, 4),
        currency=st.sampled_from(["CREDIT", "USD"]),
    )
    def award(self, amount, bps, required, threshold, default_share, parts, currency):
        milestones = ()
        if 0 < parts <= amount:
            prices = [amount // parts + (i < amount % parts) for i in range(parts)]
            milestones = tuple(Milestone(name=f"m{i}", amount_minor=price) for i, price in enumerate(prices))
        terms = e.terms(
            amount_minor=amount,
            currency=currency,
            commission_bps=bps,
            required_signatures=required,
            validation_threshold_e4=threshold,
            dispute_default_share_e4=default_share,
            milestones=milestones,
        )
        self.now, self.count, self.deliveries, self.was_delivered = e.T0, 0, 0, False
        self.wallet = accounts.org_wallet(e.PAYER_ORG, currency)
        self.paid = accounts.payment(PAYMENT, currency, e.PAYER_ORG)
        self.held = accounts.escrow(terms.escrow_id, currency, e.PAYER_ORG)
        self.earned = accounts.agent_earnings(e.AGENT, currency, e.PAYEE_ORG)
        self.taken = accounts.platform("commission", currency)
        self.balances = {self.wallet: amount, self.paid: amount, self.held: 0, self.earned: 0, self.taken: 0}
        opened = commands.opened(terms, actor=e.PROCUREMENT, now=self.now)
        self.escrow: Escrow = commands.with_receipt(opened, command_id="c0", now=self.now).escrow

    def attempt(self, command: str, actor, decide, *, parameters=Parameters(), usual=True) -> None:
        before = self.escrow
        usual = usual and timed_exit(before, self.now) is None
        said = next(each for each in preview_commands(before, actor, self.now, parameters) if each.name == command)
        try:
            outcome = decide(before)
        except DomainError as refusal:
            if usual:
                self.refused_as_said(before, actor, said, refusal)
            return
        if usual:
            self.done_as_said(actor, said, outcome)
        if command in ALLOWED:
            assert before.status in ALLOWED[command]
        self.take(before, outcome)

    def refused_as_said(self, before, actor, said, refusal) -> None:
        """Check that what the command is refused with is what was said: the role is judged before the rules."""
        assert said.outcome is None
        if not actor.may(NEEDS[said.name]):
            assert said.refusal.error_code == "auth.forbidden"
        elif before.is_final:
            assert (said.refusal.error_code, said.refusal.extra) == ("escrow.wrong_state", {"state": before.status})
        else:
            assert (said.refusal.error_code, said.refusal.detail) == (refusal.error_code, refusal.detail)

    def done_as_said(self, actor, said, outcome) -> None:
        """Check that the command moves what was said, to the unit, and leaves the state that was said."""
        if not actor.may(NEEDS[said.name]):
            assert said.refusal.error_code == "auth.forbidden"
            return
        assert said.refusal is None
        assert said.outcome.moves == outcome.moves
        assert said.outcome.escrow.status is outcome.escrow.status

    def take(self, before: Escrow, outcome: Outcome) -> None:
        self.count += 1
        numbered = commands.with_receipt(outcome, command_id=f"c{self.count}", now=self.now)
        after = numbered.escrow
        assert after.version == before.version + 1
        assert after.has_done(f"c{self.count}")
        assert after.terms == before.terms
        assert after.status is before.status or after.status in TRANSITIONS[before.status]
        for move in numbered.moves:
            assert move.amount_minor > 0
            source, destination = accounts_of(after, move)
            self.balances[source] -= move.amount_minor
            self.balances[destination] += move.amount_minor
        self.deliveries += outcome.event == "delivered"
        if outcome.event == "disputed":
            self.was_delivered = before.status is EscrowStatus.DELIVERED
        elif outcome.event == "default_applied" and not self.was_delivered:
            froze = before.dispute.opened_by
            if froze == CHARGEBACK.principal or froze.startswith(f"{e.PAYEE_ORG}/"):
                assert after.paid_minor == before.paid_minor, "undelivered work was paid for by default"
        told = escrow_events(before, outcome.event, after)
        assert {event.data["role"] for event in told} >= {"payer", "payee"}
        for event in told:
            check(event, CATALOGUE)
        self.escrow = after

    @rule(actor=ACTORS, source=st.sampled_from(SOURCES), off=st.sampled_from([None, 0, 0, 1, -1]))
    def fund(self, actor, source, off):
        def decide(s):
            brought = None if off is None else s.terms.amount_minor + off
            outcome = commands.fund(s, actor=actor, source=source, now=self.now, amount_minor=brought)
            assert off in {None, 0}
            assert source in SOURCES[:3]
            assert source != "credits" or s.terms.currency == "CREDIT"
            assert actor in {e.PROCUREMENT, e.FINANCE} or (source == SOURCES[2] and actor.is_platform)
            return outcome

        usual = off is None and source == ("credits" if self.escrow.terms.currency == "CREDIT" else "balance")
        self.attempt("fund", actor, decide, usual=usual)

    @rule(actor=ACTORS, milestone=st.none() | st.sampled_from(["m0", "m1", "m2", "nope"]))
    def deliver(self, actor, milestone):
        self.attempt(
            "deliver",
            actor,
            lambda s: commands.deliver(s, actor=actor, artifacts=(), note=None, milestone=milestone, now=self.now),
            usual=milestone is None,
        )

    def judge(self, decide, named: bool, s: Escrow) -> Outcome:
        """Sign or score the delivery under review; without its number that is for the first one only."""
        given = {"delivery": s.delivery.number} if named and s.delivery else {}
        try:
            outcome: Outcome = decide(s, given)
        except DeliveryRequired:
            assert not given
            assert self.deliveries > 1
            raise
        assert given or self.deliveries == 1
        return outcome

    @rule(actor=ACTORS, score=st.integers(0, 10_000) | st.just(10_000), named=st.booleans())
    def validate(self, actor, score, named):
        def decide(s, given):
            return commands.validate(s, actor=actor, score_e4=score, note=None, now=self.now, **given)

        self.attempt("validate", actor, partial(self.judge, decide, named), usual=score == 10_000 and named)

    @rule(actor=ACTORS, named=st.booleans())
    def approve(self, actor, named):
        def decide(s, given):
            return commands.approve(s, signatory=signatory_name(s, actor), actor=actor, now=self.now, **given)

        self.attempt("approve", actor, partial(self.judge, decide, named), usual=named)

    @rule(actor=ACTORS | st.just(CHARGEBACK))
    def dispute(self, actor):
        self.attempt("dispute", actor, lambda s: commands.dispute(s, actor=actor, reason="r", now=self.now))

    @rule(actor=ACTORS)
    def submit_evidence(self, actor):
        self.attempt(
            "submit_evidence",
            actor,
            lambda s: commands.submit_evidence(s, actor=actor, note="n", artifacts=(), now=self.now),
        )

    @rule(actor=ACTORS, share=st.integers(0, 10_000) | st.sampled_from([0, 10_000]))
    def resolve(self, actor, share):
        self.attempt(
            "resolve",
            actor,
            lambda s: commands.resolve(s, actor=actor, payee_share_e4=share, note=None, now=self.now),
            parameters=Parameters(payee_share_e4=share),
        )

    @rule(actor=ACTORS, amount=st.none() | st.integers(-5, 10**9))
    def refund(self, actor, amount):
        self.attempt(
            "refund",
            actor,
            lambda s: commands.refund(s, actor=actor, amount_minor=amount),
            parameters=Parameters(refund_minor=amount),
        )

    @rule(actor=ACTORS)
    def cancel(self, actor):
        self.attempt("cancel", actor, lambda s: commands.cancel(s, actor=actor, reason=None))

    @rule(hours=st.integers(1, 300))
    def pass_time(self, hours):
        self.now += timedelta(hours=hours)
        before = self.escrow
        outcome = timed_exit(before, self.now)
        if outcome is not None:
            self.take(before, outcome)

    @precondition(lambda self: self.escrow.status not in FINAL)
    @rule()
    def wait_for_the_deadline(self):
        deadline = next_deadline(self.escrow)
        assert deadline is not None, "pitfall 24: a state without a timed exit"
        assert timed_exit(self.escrow, deadline.at - timedelta(microseconds=1)) is None
        self.now = max(self.now, deadline.at)
        before = self.escrow
        outcome = timed_exit(before, self.now)
        assert outcome is not None
        self.take(before, outcome)

    @invariant()
    def the_money_is_where_the_state_says(self):
        s = self.escrow
        by_payment = commands.payment_of(s.funded_from) is not None
        amount, funded = s.terms.amount_minor, s.funded_minor
        assert self.balances[self.held] == s.held_minor
        assert self.balances[self.earned] == s.released_minor
        assert self.balances[self.taken] == s.commission_minor
        assert self.balances[self.paid] == amount - (funded if by_payment else 0)
        assert self.balances[self.wallet] == amount - (0 if by_payment else funded) + s.refunded_minor
        assert min(self.balances.values()) >= 0

    @invariant()
    def commission_on_the_sum_is_that_of_one_release(self):
        s = self.escrow
        # Rounded to the nearest unit; the half unit is the payee's.
        assert s.commission_minor == -(-(2 * s.paid_minor * s.terms.commission_bps - 10_000) // 20_000)

    @invariant()
    def nothing_is_held_at_the_end(self):
        s = self.escrow
        if s.is_final:
            assert s.released_minor + s.refunded_minor + s.commission_minor == s.funded_minor
            assert next_deadline(s) is None
        else:
            assert s.held_minor > 0 or s.status is EscrowStatus.OPEN

    @invariant()
    def an_operator_can_read_it(self):
        assert len(summary(self.escrow.terms).encode()) <= 200
        assert self.escrow.status.value in details(self.escrow)


def test_fifty_small_milestones_pay_the_commission_of_their_sum():
    parts = tuple(Milestone(name=f"m{n}", amount_minor=9) for n in range(50))
    state = commands.opened(
        e.terms(amount_minor=450, currency="USD", milestones=parts), actor=e.PROCUREMENT, now=e.T0
    ).escrow
    state = commands.fund(state, actor=e.PROCUREMENT, source="balance", now=e.T0).escrow
    for _ in parts:
        state = commands.deliver(state, actor=e.WORKER, artifacts=(), note=None, milestone=None, now=e.T0).escrow
        number = state.delivery.number
        state = commands.validate(state, actor=e.VALIDATOR, score_e4=9000, note=None, now=e.T0, delivery=number).escrow
    assert state.status is EscrowStatus.RELEASED
    assert (state.released_minor, state.commission_minor) == (428, 22)


EscrowMachine.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=30, deadline=None)
TestEscrowMachine = EscrowMachine.TestCase


def test_pitfall_24_an_escrow_that_nobody_touches_ends_from_every_state():
    opened = commands.with_receipt(
        commands.opened(e.TERMS, actor=e.PROCUREMENT, now=e.T0), command_id="open", now=e.T0
    ).escrow
    funded = commands.fund(opened, actor=e.PROCUREMENT, source="credits", now=e.T0).escrow
    delivered = commands.deliver(funded, actor=e.WORKER, artifacts=(), note=None, milestone=None, now=e.T0).escrow
    disputed = commands.dispute(delivered, actor=e.FINANCE, reason="late", now=e.T0).escrow
    ends = {}
    for start in (opened, funded, delivered, disputed):
        state, steps = start, []
        while not state.is_final:
            deadline = next_deadline(state)
            assert deadline is not None
            outcome = timed_exit(state, deadline.at)
            assert outcome is not None
            steps.append(outcome.event)
            state = replace(outcome.escrow, updated_at=deadline.at)
        ends[start.status.value] = (state.status.value, steps)
    assert ends == {
        "open": ("cancelled", ["funding_expired"]),
        "funded": ("refunded", ["delivery_expired"]),
        "delivered": ("released", ["review_expired"]),
        "disputed": ("split", ["decision_overdue", "default_applied"]),
    }


def test_deadline_that_has_passed_has_acted_before_any_action():
    funded = commands.fund(
        commands.opened(e.TERMS, actor=e.PROCUREMENT, now=e.T0).escrow, actor=e.PROCUREMENT, source="credits", now=e.T0
    ).escrow
    before, after = funded.deliver_by - timedelta(seconds=1), funded.deliver_by
    offered = [
        [action.name for action in preview_commands(funded, e.WORKER, now) if action.outcome is not None]
        for now in (before, after)
    ]
    assert offered == [["deliver", "dispute", "cancel"], []]
