"""Planned purchase orders of agents, drawn from the seed before a run, with their expected outcomes.

The expected counts are calculated here independently of the product. Amounts are whole dollars.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: Above these amounts one person approves, or two.
ONE_PERSON, TWO_PERSONS = 50, 200
#: The type of the entry of the log that a request makes, by the end of its path.
_TYPES = {
    "attempts": "attempt",
    "result": "attempt",
    "abandon": "abandoned",
    "refunds": "refund",
    "grant": "approval",
    "refuse": "approval",
    "cancel": "ended",
    "confirm": "confirmation",
}


@dataclass(frozen=True)
class Step:
    """A request about an order.

    Attributes:
        status: of the order in the answer.
        log: the status of the entry that it makes.
        body: an `amount`, or what a person confirms, is what is added to the amount that was asked for; `lifts` is true
            for the day of the agent.
        by: whose key sends it.
    """

    path: str
    status: str
    log: str
    body: Mapping[str, Any] = field(default_factory=dict)
    by: str = "agent"

    @property
    def entries(self) -> list[tuple[str, str]]:
        """The types and statuses of its log entries."""
        first = (_TYPES[self.path.rpartition("/")[2]], self.log)
        if self.path == "confirm":
            return [first, ("refund", "refunded")]
        # What was declined and given up for something else is one more entry.
        return [first, ("attempt", self.log)] if self.log == "declined_over_budget" else [first]


@dataclass(frozen=True)
class Story:
    """A planned order, its decisions, and the amount that budgets count in the end.

    Attributes:
        status: of the first answer.
        asks: what is asked for beside the amount.
        above: amounts begin there.
        pool: of the project's week that is drawn.
        held: whether it still is; `spent` is what was charged of the hold, less the amount that was asked for, None for
            nothing; `forced` is what was charged beyond it, `late` for all of it; `refunded` as `spent`.
        poor: whether the agent asks whose budget nothing fits into.
    """

    status: str
    steps: tuple[Step, ...] = ()
    asks: Mapping[str, str] = field(default_factory=dict)
    above: int = 10
    pool: str = "operating"
    held: bool = False
    spent: int | None = None
    forced: int = 0
    late: bool = False
    refunded: int | None = None
    poor: bool = False

    @property
    def waits(self) -> bool:
        """Whether a person must approve it, which starts a run."""
        return self.status == "needs_approval"


def _tried(result: str, status: str, number: int = 1, by: str = "agent", **body: Any) -> tuple[Step, Step]:
    return (
        Step("attempts", "approved", "begun", {"method": "card_primary"}),
        Step(f"attempts/{number}/result", status, result, {"result": result, **body}, by),
    )


def _granted(status: str = "approved", by: str = "owner", **body: Any) -> Step:
    return Step("grant", status, status, body, by)


_BUY = _tried("succeeded", "purchased")
_ABANDON = Step("abandon", "abandoned", "abandoned", {"alternative_action": "found_free_codeium"})

STORIES: dict[str, Story] = {
    "held": Story("approved", held=True),
    "bought": Story("approved", _BUY, spent=0),
    "bought for less": Story("approved", _tried("succeeded", "purchased", by="owner", amount=-5), spent=-5),
    "reported for less": Story("approved", _tried("succeeded", "purchased", amount=-5), spent=0),
    "charged above the hold": Story("approved", _tried("succeeded", "purchased", amount=3), spent=0, forced=3),
    "declined, then bought": Story(
        "approved", (*_tried("declined", "approved", by="owner"), *_tried("succeeded", "purchased", 2)), spent=0
    ),
    "unknown, then found paid": Story(
        "approved",
        (*_tried("unknown", "approved"), Step("attempts/1/result", "purchased", "succeeded", {"result": "succeeded"})),
        spent=0,
    ),
    "unknown, then found declined": Story(
        "approved",
        (
            *_tried("unknown", "approved"),
            Step("attempts/1/result", "approved", "declined", {"result": "declined"}, "owner"),
            _ABANDON,
        ),
    ),
    "abandoned": Story("approved", (_ABANDON,)),
    "charged after the end": Story(
        "approved",
        (
            _BUY[0],
            replace(_ABANDON, by="owner"),
            Step("attempts/1/result", "purchased", "succeeded", {"result": "succeeded"}),
        ),
        late=True,
    ),
    "attempted, then abandoned": Story("approved", (_BUY[0], _ABANDON), held=True),
    "refund reported": Story("approved", (*_BUY, Step("refunds", "purchased", "reported", {"amount": -7})), spent=0),
    "refund reported, then confirmed": Story(
        "approved",
        (
            *_BUY,
            Step("refunds", "purchased", "reported", {"amount": -7}),
            Step("confirm", "purchased", "confirmed", {"charged": 0, "refunded": -7}, "finance"),
        ),
        spent=0,
        refunded=-7,
    ),
    "refunded": Story(
        "approved",
        (*_BUY, Step("refunds", "purchased", "refunded", {"amount": -7}, "owner")),
        spent=0,
        refunded=-7,
    ),
    "cancelled": Story(
        "approved", (*_BUY, Step("cancel", "cancelled", "cancelled", by="owner")), asks={"term": "month"}, spent=0
    ),
    "over budget": Story("declined_over_budget", (replace(_ABANDON, log="declined_over_budget"),), poor=True),
    "drawn from the reserve": Story("approved", _BUY, asks={"pool": "reserve"}, pool="reserve", spent=0),
    "drawn in an emergency": Story("approved", _BUY, asks={"pool": "emergency"}, pool="emergency", spent=0),
    "granted": Story("needs_approval", (_granted(), *_BUY), above=ONE_PERSON, spent=0),
    "granted, then abandoned": Story("needs_approval", (_granted(by="finance"), _ABANDON), above=ONE_PERSON),
    "granted from the reserve": Story(
        "needs_approval",
        (_granted(pool="reserve"), *_BUY, Step("refunds", "purchased", "refunded", {"amount": 0}, "finance")),
        above=ONE_PERSON,
        pool="reserve",
        spent=0,
        refunded=0,
    ),
    "granted beyond the day": Story(
        "needs_approval", (_granted(lifts=True), *_BUY), asks={"on_limit": "ask"}, spent=0, poor=True
    ),
    "granted by two": Story(
        "needs_approval", (_granted("needs_approval"), _granted(by="finance"), *_BUY), above=TWO_PERSONS, spent=0
    ),
    "granted by one, refused by another": Story(
        "needs_approval",
        (_granted("needs_approval"), Step("refuse", "declined_policy", "declined_policy", by="finance")),
        above=TWO_PERSONS,
    ),
    "refused": Story(
        "needs_approval", (Step("refuse", "declined_policy", "declined_policy", by="owner"),), above=ONE_PERSON
    ),
    "abandoned while it waits": Story("needs_approval", (_ABANDON,), above=ONE_PERSON),
    "waits": Story("needs_approval", above=ONE_PERSON),
}


@dataclass(frozen=True)
class OrderPlan:
    """An order: the name of its story, the prefix of its keys, the requesting agent, and the amount in dollars."""

    name: str
    told: str
    studio: int
    amount: int

    @property
    def story(self) -> Story:
        """The story."""
        return STORIES[self.told]

    @property
    def status(self) -> str:
        """The final status."""
        return self.story.steps[-1].status if self.story.steps else self.story.status

    @property
    def paid(self) -> int:
        """The total charge."""
        counts = self.counts()
        return counts["spent"] + counts["forced"]

    @property
    def refunded(self) -> int:
        """The total refund."""
        return self.counts()["refunded"]

    def entries(self) -> list[tuple[str, str]]:
        """Return the types and statuses of the order's log entries."""
        return [("request", self.story.status), *(entry for step in self.story.steps for entry in step.entries)]

    def counts(self) -> Counter[str]:
        """Return its spending in dollars and its uses in each containing window."""
        story, amount = self.story, self.amount
        spent = 0 if story.spent is None else amount + story.spent
        forced = amount if story.late else story.forced
        return Counter(
            held=amount if story.held else 0,
            spent=spent,
            forced=forced,
            refunded=0 if story.refunded is None else amount + story.refunded,
            uses_spent=(story.held or spent > 0) + (forced > 0),
        )

    def windows(self) -> list[tuple[str, str, str]]:
        """Return the budget, the window and the pool in which it counts."""
        found = [("poor" if self.story.poor else "agent", "day", "operating"), ("project", "week", self.story.pool)]
        # What no person granted counts in the allowance, too.
        return [*found, ("project", "week", "allowance")] if self.story.asks.get("pool") == "reserve" else found


def draw_orders(seed: int, number: int, studios: int) -> list[OrderPlan]:
    """Draw orders: every story equally often."""
    rng = random.Random(f"{seed} purchase orders")
    told: list[str] = []
    while len(told) < number:
        round_ = list(STORIES)
        rng.shuffle(round_)
        told += round_
    return [
        OrderPlan(f"o{place}", name, place % studios, STORIES[name].above + rng.randint(1, 30))
        for place, name in enumerate(told[:number])
    ]
