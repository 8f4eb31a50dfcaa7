"""Planned actions of each client, drawn from the seed before a run, with their expected outcomes.

The expected amounts are worked out here by arithmetic of their own, not by the product's.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

COMMISSION_BPS = 500
FUNDED, RELEASED, REFUNDED = "escrow.funded", "escrow.released", "escrow.refunded"
SIGNATORIES = ("procurement", "finance", "desk")


@dataclass(frozen=True)
class Step:
    """One command: who gives it, where, with what, and which transfer it makes; `twice` sends it two times at once."""

    event: str
    role: str
    path: str
    body: dict[str, Any]
    transfer: str | None = None
    twice: bool = False


@dataclass
class Plan:
    """One escrow from award to settlement. Steps of one round are given at the same time."""

    name: str
    story: str
    price_minor: int
    contract: dict[str, Any] = field(default_factory=dict)
    rounds: list[tuple[tuple[Step, ...], str]] = field(default_factory=list)
    released: int = 0
    refunded: int = 0
    commission: int = 0
    funded: int = 0

    @property
    def final_status(self) -> str:
        return self.rounds[-1][1]

    def events(self) -> Counter[str]:
        return Counter(step.event for steps, _ in self.rounds for step in steps) + Counter(["opened"])

    def transfers(self) -> Counter[str]:
        return Counter(step.transfer for steps, _ in self.rounds for step in steps if step.transfer)

    def pay(self, gross: int) -> None:
        """The commission on all releases is rounded to the nearest minor unit, half of one in the payee's favour."""
        paid = self.released + self.commission + gross
        commission = (paid * COMMISSION_BPS + 4999) // 10_000 - self.commission
        self.commission += commission
        self.released += gross - commission


def amount(minor: int) -> str:
    return f"{minor // 1_000_000}.{minor % 1_000_000:06d}"


def _fund(plan: Plan) -> None:
    plan.funded = plan.price_minor
    step = Step("funded", "procurement", "fund", {"source": "credits"}, FUNDED)
    plan.rounds.append(((step,), "funded"))


def _deliver(plan: Plan, rng: random.Random, milestone: str | None = None) -> None:
    body: dict[str, Any] = {"artifacts": [{"uri": f"https://files.test/{plan.name}", "sha256": "ab" * 32}]}
    body |= {"milestone": milestone} if milestone else {"note": "Done"}
    plan.rounds.append(((Step("delivered", rng.choice(("agent", "studio")), "delivery", body),), "delivered"))


def _validate(plan: Plan, score: str, status: str, delivery: int | None = None) -> None:
    transfer = None if status == "delivered" else RELEASED
    body = {"score": score, **({} if delivery is None else {"delivery": delivery})}
    plan.rounds.append(((Step("validated", "validator", "validation", body, transfer),), status))


def _by_score(plan: Plan, rng: random.Random) -> None:
    _fund(plan)
    _deliver(plan, rng)
    _validate(plan, rng.choice(("0.80", "0.92", "1")), "released")
    plan.pay(plan.price_minor)


def _by_signatures(plan: Plan, rng: random.Random) -> None:
    plan.contract |= {"signatories": list(SIGNATORIES), "required_signatures": 2}
    _fund(plan)
    _deliver(plan, rng)
    if rng.random() < 0.5:
        _validate(plan, "0.41", "delivered")
    first, second = rng.sample(SIGNATORIES, 2)
    approvals = (
        Step("approved", first, "approvals", {}, RELEASED),
        Step("approved", second, "approvals", {}),
    )
    if rng.random() < 0.5:
        plan.rounds.append((approvals, "released"))  # the two race; whoever is second releases
    else:
        plan.rounds += [(approvals[1:], "delivered"), (approvals[:1], "released")]
    plan.pay(plan.price_minor)


def _by_milestones(plan: Plan, rng: random.Random) -> None:
    count = rng.randint(2, 3)
    cuts = sorted(rng.sample(range(1, plan.price_minor), count - 1))
    parts = [end - start for start, end in zip([0, *cuts], [*cuts, plan.price_minor], strict=True)]
    plan.contract["milestones"] = [{"name": f"part {n}", "amount": amount(part)} for n, part in enumerate(parts, 1)]
    _fund(plan)
    for n, part in enumerate(parts, 1):
        _deliver(plan, rng, f"part {n}")
        _validate(plan, "0.95", "released" if n == count else "funded", delivery=n)
        plan.pay(part)


def _refund_part_then_release(plan: Plan, rng: random.Random) -> None:
    back = rng.randrange(1, plan.price_minor)
    _fund(plan)
    early = rng.random() < 0.5
    step = Step("partially_refunded", "studio", "refunds", {"amount": amount(back)}, REFUNDED)
    if early:
        plan.rounds.append(((step,), "funded"))
    _deliver(plan, rng)
    if not early:
        plan.rounds.append(((step,), "delivered"))
    _validate(plan, "0.90", "released")
    plan.refunded = back
    plan.pay(plan.price_minor - back)


def _refund_all(plan: Plan, rng: random.Random) -> None:
    _fund(plan)
    if rng.random() < 0.5:
        _deliver(plan, rng)
    plan.rounds.append(((Step("refunded", "studio", "refunds", {}, REFUNDED),), "refunded"))
    plan.refunded = plan.price_minor


def _dispute(plan: Plan, rng: random.Random) -> None:
    share = rng.choice((0, 1, 3333, 5000, 6000, 9999, 10_000))
    _fund(plan)
    if rng.random() < 0.7:
        _deliver(plan, rng)
    plan.rounds.append(
        ((Step("disputed", rng.choice(("procurement", "studio")), "disputes", {"reason": "No"}),), "disputed")
    )
    if rng.random() < 0.5:
        step = Step("evidence_submitted", "studio", "disputes/evidence", {"note": "See the attachment"})
        plan.rounds.append(((step,), "disputed"))
    status = {0: "refunded", 10_000: "released"}.get(share, "split")
    body = {"payee_share": f"{share // 10_000}.{share % 10_000:04d}", "note": "As agreed"}
    transfer = {0: REFUNDED, 10_000: RELEASED}.get(share, "escrow.split")
    plan.rounds.append(((Step("resolved", "arbiter", "disputes/resolution", body, transfer),), status))
    gross = (plan.price_minor * share + 5000) // 10_000  # half a minor unit goes to the payee
    plan.pay(gross)
    plan.refunded = plan.price_minor - gross


def _cancel_open(plan: Plan, rng: random.Random) -> None:
    role = rng.choice(("procurement", "studio"))
    plan.rounds.append(((Step("cancelled", role, "cancel", {"reason": "Changed our mind"}),), "cancelled"))


def _cancel_funded(plan: Plan, rng: random.Random) -> None:
    _fund(plan)
    if rng.random() < 0.5:
        plan.rounds.append(((Step("cancel_requested", "procurement", "cancel", {}),), "funded"))
    plan.rounds.append(((Step("cancelled", "studio", "cancel", {}, REFUNDED),), "cancelled"))
    plan.refunded = plan.price_minor


STORIES: dict[str, tuple[int, Callable[[Plan, random.Random], None]]] = {
    "released by score": (4, _by_score),
    "released by k of n": (4, _by_signatures),
    "milestones": (3, _by_milestones),
    "part refunded, then released": (2, _refund_part_then_release),
    "refunded": (2, _refund_all),
    "disputed and resolved": (3, _dispute),
    "cancelled while open": (1, _cancel_open),
    "cancelled after funding": (2, _cancel_funded),
}


def draw(seed: int, count: int) -> list[Plan]:
    """Draw the plans of a run; the first ones cover every story."""
    rng = random.Random(f"{seed} plans")
    weights = [weight for weight, _ in STORIES.values()]
    names = [*STORIES, *rng.choices(list(STORIES), weights, k=max(0, count - len(STORIES)))][:count]
    rng.shuffle(names)
    plans = []
    for number, story in enumerate(names):
        plan = Plan(f"e{number}", story, rng.randrange(1_000_000, 50_000_000))
        plan.contract = {
            "title": f"{story} {number}",
            "price": amount(plan.price_minor),
            "currency": "CREDIT",
            "validation_threshold": "0.80",
            "signatories": ["procurement"],
            "required_signatures": 1,
            "deliver_within": "P7D",
            "review_period": "P3D",
        }
        STORIES[story][1](plan, rng)
        plan.rounds = [(tuple(_impatient(step, rng) for step in steps), status) for steps, status in plan.rounds]
        plans.append(plan)
    return plans


def _impatient(step: Step, rng: random.Random) -> Step:
    """One command in ten is sent twice at once, as clients with a nervous finger or a hedging proxy do."""
    return Step(step.event, step.role, step.path, step.body, step.transfer, twice=rng.random() < 0.1)
