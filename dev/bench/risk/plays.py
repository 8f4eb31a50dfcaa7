"""Attacks on the simulated platform: what each tries, what takes place, and what it costs the platform."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from dev.bench.risk.platform import Platform
from domain.risk.act import EntityKind, Outcome, Point

CARDS, ADDRESSES = 1_000, 10
BONUS = 500  # the value of a sign-up's credits, in cents


@dataclass
class Found:
    """What an attack came to.

    Attributes:
        attempts: the acts that were tried; `passed` of them took place.
        until: how many took place before the first that did not; equal to `passed` if none was stopped.
        lost: the money that the platform or its customers lost, in cents.
        by: what stopped attempts, and how many.
    """

    attempts: int = 0
    passed: int = 0
    until: int | None = None
    lost: int = 0
    by: dict[str, int] = field(default_factory=dict)

    def note(self, *, passes: bool, by: str = "", lost: int = 0) -> None:
        """Note an attempt."""
        self.attempts += 1
        if passes:
            self.passed += 1
            self.lost += lost
            return
        self.by[by] = self.by.get(by, 0) + 1
        if self.until is None:
            self.until = self.passed


async def card_tester(world: Platform, cards: int = CARDS) -> Found:
    """Try stolen cards with small amounts, a tenth of them good, in turn from ten addresses and by 20 organizations."""
    found, addresses = Found(), [world.address() for _ in range(ADDRESSES)]
    orgs = [world.new(is_honest=False, at=[address]) for address in addresses for _ in range(2)]
    testers = [org for org in orgs if await world.sign_up(org)]
    for number in range(cards):
        org, address = testers[number % len(testers)], addresses[number % ADDRESSES]
        answer = await world.pay(org, 100, f"stolen {number}", address, is_good=number % 10 == 0)
        rule = org.stops[-1][3] if org.stops else ""
        found.note(passes=answer in {"paid", "declined"}, by=f"{rule}: {answer}", lost=100 * (answer == "paid"))
        await world.wait(seconds=12)
    return found


async def bonus_farm(world: Platform, tries: int = 200) -> Found:
    """Sign up again and again on four devices behind ten addresses, for the credits of a sign-up."""
    found, addresses = Found(), [world.address() for _ in range(ADDRESSES)]
    for number in range(tries):
        org = world.new(is_honest=False, at=[addresses[number % ADDRESSES]], device=f"farm {number % 4}")
        passes = await world.sign_up(org)
        found.note(passes=passes, by=org.stops[-1][3] if org.stops else "", lost=BONUS)
        await world.wait(minutes=5)
    return found


async def refund_loop(world: Platform, rounds: int = 40) -> Found:
    """Pay, use what was paid for, and have the payment refunded, again and again."""
    found, org = Found(), world.new(is_honest=False)
    assert await world.sign_up(org)
    for number in range(rounds):
        if await world.pay(org, 2_000, "own", org.at[0], is_good=True) == "paid":
            await world.wait(hours=1)
            verdict = await world.act(org, Point.REFUND, 2_000)
            # Half of what was bought is used when the rest is refunded.
            found.note(passes=verdict.outcome is Outcome.ALLOW, by=str(verdict.rule), lost=1_000)
        await world.wait(hours=2 + number % 3)
    return found


async def takeover(world: Platform, victims: int = 20) -> Found:
    """Take over organizations that have earned: a new key, a new payout account, and all money out within an hour."""
    found = Found()
    owners = [org for org in world.orgs.values() if org.is_honest and org.keys][:victims]
    for org in owners:
        address = world.address()
        key = await world.act(org, Point.KEY, address=address, device="thief")
        if key.outcome is Outcome.ALLOW:
            await world.make_key(org)
        account = {EntityKind.PAYOUT_ACCOUNT: f"thief {org.id}"}
        await world.act(org, Point.PAYOUT_ACCOUNT, address=address, device="thief", seen=account)
        await world.wait(minutes=20)
        facts: Mapping[str, int] = {"first_earning_hours": 24 * 60, "destination_age_hours": 0}
        verdict = await world.act(org, Point.PAYOUT, 50_000, address=address, device="thief", facts=facts)
        is_held = org.id in await world.held("earnings")
        passes = verdict.outcome is Outcome.ALLOW and not is_held
        found.note(passes=passes, by=verdict.rule or "held", lost=50_000)
        await world.wait(minutes=40)
    return found


Play = Callable[[Platform], Awaitable[Found]]
PLAYS: dict[str, Play] = {
    "card tester": card_tester,
    "takeover": takeover,
    "bonus farm": bonus_farm,
    "refund loop": refund_loop,
}


@dataclass(frozen=True)
class Row:
    """A play's figures, with the honest organizations that were stopped meanwhile, per 1,000."""

    name: str
    found: Found
    blocked: float
    reviewed: float
    challenged: float


async def play(world: Platform, name: str) -> Row:
    """Run a play, and count the honest organizations that were stopped while it ran."""
    began = world.now
    found = await PLAYS[name](world)
    stops, whole = world.stopped_honest(began, world.now + timedelta(seconds=1)), max(1, world.honest())
    per = [1_000 * stops[each.value] / whole for each in (Outcome.BLOCK, Outcome.REVIEW, Outcome.CHALLENGE)]
    return Row(name, found, *per)
