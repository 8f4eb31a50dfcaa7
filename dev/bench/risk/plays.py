"""Attacks on the simulated platform: what each tries, what takes place, and what it costs."""

from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from dev.bench.risk.honest import Population
from dev.bench.risk.platform import Org, Platform
from dev.bench.risk.rows import Rows
from domain.risk.act import EntityKind, Outcome, Point
from domain.risk.case import HoldKind
from runtime.database import Database

#: The value of a sign-up's credits, in cents.
BONUS = 500
#: Days before the first play, and days in all, of which the plays need fewer.
BEFORE, DAYS = 10, 45


@dataclass
class Found:
    """Results of an attack.

    Attributes:
        attempts: the acts that were tried; `passed` of them took place.
        until: how many took place before the first that did not; None if none was stopped.
        lost: the money that the platform or its customers lost, in cents.
        by: what stopped attempts, and how many.
    """

    attempts: int = 0
    passed: int = 0
    until: int | None = None
    lost: int = 0
    by: Tally[str] = field(default_factory=Tally)

    def note(self, *, passes: bool, by: str = "", lost: int = 0) -> None:
        """Note an attempt, and what is lost if it passes."""
        self.attempts += 1
        if passes:
            self.passed += 1
            self.lost += lost
            return
        self.by[by or "blocked"] += 1
        if self.until is None:
            self.until = self.passed


async def card_tester(world: Platform, cards: int = 1_000) -> Found:
    """Try stolen cards with small amounts, a tenth of them good, in turn from ten addresses and by 20 organizations."""
    found, addresses = Found(), [world.address() for _ in range(10)]
    orgs = [world.new(is_honest=False, at=[address]) for address in addresses for _ in range(2)]
    testers = [org for org in orgs if await world.sign_up(org)]
    for number in range(cards):
        org, address = testers[number % len(testers)], addresses[number % len(addresses)]
        answer, _ = await world.pay(org, 100, f"stolen {number}", address, is_good=number % 10 == 0)
        by = f"{org.stopped_by()} ({answer})"
        found.note(passes=answer in {"paid", "declined"}, by=by, lost=100 * (answer == "paid"))
        await world.wait(seconds=12)
    return found


async def takeover(world: Platform, victims: int = 20) -> Found:
    """Take over honest organizations: a new key, a new payout account, and all money out after 20 minutes.

    A payout to a new account is sent 72 hours later at the earliest; what is held until then does not leave.
    """
    found = Found()
    for org in [org for org in world.orgs.values() if org.is_honest][:victims]:
        address, device = world.address(), f"thief of {org.id}"
        if (await world.act(org, Point.KEY, address=address, device=device)).outcome is Outcome.ALLOW:
            await world.make_key(org)
        account = {EntityKind.PAYOUT_ACCOUNT: f"account of {org.id}"}
        await world.act(org, Point.PAYOUT_ACCOUNT, address=address, device=device, seen=account)
        await world.rows.payout_account(org.id, world.now)
        await world.wait(minutes=20)
        facts = {"first_earning_hours": 24 * 60, "destination_age_hours": 0}
        verdict = await world.act(org, Point.PAYOUT, 50_000, address=address, device=device, facts=facts)
        await world.wait(minutes=6)
        await world.sweep()
        is_held = org.id in await world.held(HoldKind.EARNINGS)
        passes = verdict.outcome is Outcome.ALLOW and not is_held
        found.note(passes=passes, by=verdict.rule or "takeover (earnings held)", lost=50_000)
    return found


async def bonus_farm(world: Platform, tries: int = 200) -> Found:
    """Sign up again and again on four devices behind ten addresses, for the credits of a sign-up."""
    found, addresses = Found(), [world.address() for _ in range(10)]
    for number in range(tries):
        org = world.new(is_honest=False, at=[addresses[number % 10]], device=f"farm {number % 4}")
        found.note(passes=await world.sign_up(org), by=org.stopped_by(), lost=BONUS)
        await world.wait(minutes=5)
    return found


async def refund_loop(world: Platform, rounds: int = 40) -> Found:
    """Pay, use half of what was paid for, and have the payment refunded, again and again."""
    found, org = Found(), world.new(is_honest=False)
    await world.sign_up(org)
    for _ in range(rounds):
        answer, payment_id = await world.pay(org, 2_000, org.cards[0], org.at[0], is_good=True)
        await world.wait(hours=1)
        passes = answer == "paid" and await world.refund(org, payment_id, 2_000)
        found.note(passes=passes, by=org.stopped_by(), lost=1_000)
        await world.wait(minutes=30)
    return found


async def sybil_farm(world: Platform, raters: int = 30) -> Found:
    """Praise one's own agent by organizations that share 15 devices and six cards, a job and a rating each a day."""
    found, star = Found(), world.new(is_honest=False, device="sybil 0")
    await world.sign_up(star)
    await world.wait(days=1)
    orgs = [world.new(is_honest=False, device=f"sybil {number % 15}") for number in range(raters)]
    there = []
    for number, org in enumerate(orgs):
        org.cards = [f"sybil {number % 6}"]
        if await world.sign_up(org):
            there.append(org)
        await world.wait(hours=1)
    for _ in range(2):
        for org in there:
            await world.pay(org, 500, org.cards[0], org.at[0], is_good=True)
            passes = await _trade(world, org, star, 300)
            found.note(passes=passes, by=org.stopped_by())
            await world.wait(minutes=30)
        await world.wait(days=1)
    return found


async def ring(world: Platform, members: int = 5, rounds: int = 6) -> Found:
    """Pay and praise each other in a circle, beside honest trades of each member, without any entity in common."""
    found, orgs = Found(), [world.new(is_honest=False) for _ in range(members)]
    honest = [org for org in world.orgs.values() if org.is_honest]
    for org in orgs:
        await world.sign_up(org)
        for _ in range(3):
            await _trade(world, org, world.draw.choice(honest), 2_000)
    for _ in range(rounds):
        for number, org in enumerate(orgs):
            for step in (1, 2):
                passes = await _trade(world, org, orgs[(number + step) % members], 8_000)
                found.note(passes=passes, by=org.stopped_by())
                await world.wait(hours=1)
    return found


async def junk(world: Platform, jobs: int = 60) -> Found:
    """Deliver one file for every job within two minutes, and wait for payment by silence after three days."""
    found, org = Found(), world.new(is_honest=False)
    await world.sign_up(org)
    payers = [payer for payer in world.orgs.values() if payer.is_honest]
    for number in range(jobs):
        payer = world.draw.choice(payers)
        if not await world.fund(payer, org, 3_000):
            continue
        artifact = "junk" if number % 2 else world.name("sha")
        escrow_id = await world.deliver(org, payer, 3_000, seconds=100, artifact=artifact)
        if escrow_id is None:
            found.note(passes=False, by=org.stopped_by())
        else:
            await _wait_in_silence(world, found, org, payer, escrow_id)
        await world.wait(hours=2)
    await world.wait(days=3)
    return found


async def _wait_in_silence(world: Platform, found: Found, org: Org, payer: Org, escrow_id: str) -> None:
    async def release() -> None:
        # An operator who refused the organization returns what is held.
        is_held = escrow_id in await world.held(HoldKind.RELEASE)
        found.note(passes=not is_held, by="delivery (release held)", lost=3_000)
        if not is_held:
            await world.release(escrow_id, org, payer, 100, silent=True)

    world.plan(world.now + timedelta(days=3), release)


async def _trade(world: Platform, payer: Org, payee: Org, amount: int) -> bool:
    """Fund, deliver, release and rate a job at once; return whether the rating takes place."""
    if not await world.fund(payer, payee, amount):
        return False
    escrow_id = await world.deliver(payee, payer, amount, seconds=20_000, artifact=world.name("sha"))
    if escrow_id is None:
        return False
    await world.release(escrow_id, payee, payer, 20_000)
    return await world.rate(payer, payee)


Play = Callable[[Platform], Awaitable[Found]]
#: In the order in which they are played, with the kind of case that a detector opens.
PLAYS: dict[str, tuple[Play, str]] = {
    "card tester": (card_tester, "card_testing"),
    "takeover": (takeover, "takeover"),
    "bonus farm": (bonus_farm, "act"),
    "refund loop": (refund_loop, "refund_abuse"),
    "junk deliverer": (junk, "delivery"),
    "Sybil farm": (sybil_farm, "sybil"),
    "ring": (ring, "ring"),
}


@dataclass(frozen=True, kw_only=True)
class PlayResult:
    """A play's figures, with the honest organizations that were stopped meanwhile.

    Attributes:
        blocked: honest organizations of which an act was blocked, per 1,000.
        reviewed: honest organizations of which an act waited, or that a detector's case is about, per 1,000.
        challenged: honest organizations that had to authenticate, per 1,000.
        cases: the kinds of cases opened meanwhile: about attackers, and about honest organizations only.
    """

    name: str
    found: Found
    blocked: float
    reviewed: float
    challenged: float
    cases: tuple[Tally[str], Tally[str]]


async def play(world: Platform, name: str) -> PlayResult:
    """Run a play until the next morning, and count the honest organizations that were stopped meanwhile."""
    began = world.now
    found = await PLAYS[name][0](world)
    await world.wait(days=1)
    stopped: dict[Outcome, set[str]] = {outcome: set() for outcome in Outcome}
    for org in world.orgs.values():
        for at, _, outcome, _ in org.stops if org.is_honest else ():
            if at >= began:
                stopped[outcome].add(org.id)
    guilty, honest = Tally[str](), Tally[str]()
    for kind, org_ids in await world.cases_since(began):
        known = [world.orgs[org_id] for org_id in org_ids if org_id in world.orgs]
        innocent = {org.id for org in known if org.is_honest}
        (honest if innocent and len(innocent) == len(known) else guilty)[kind] += 1
        # The owner of an account that was taken over asked for nothing.
        stopped[Outcome.REVIEW] |= set() if kind == "takeover" and name == "takeover" else innocent
    whole = sum(org.is_honest for org in world.orgs.values()) / 1_000
    return PlayResult(
        name=name,
        found=found,
        blocked=len(stopped[Outcome.BLOCK]) / whole,
        reviewed=len(stopped[Outcome.REVIEW]) / whole,
        challenged=len(stopped[Outcome.CHALLENGE]) / whole,
        cases=(guilty, honest),
    )


async def play_all(database: Database, owner_url: str, *, honest: int, seed: int) -> tuple[Platform, list[PlayResult]]:
    """Run all plays, one after the other, on a platform that begins empty."""
    rows = await Rows.open(owner_url)
    world = Platform(database, rows, days=DAYS, seed=seed)
    Population(world, honest, DAYS)
    try:
        with world.clock():
            await world.wait(days=BEFORE)
            return world, [await play(world, name) for name in PLAYS]
    finally:
        await rows.close()
