"""A model of what may be spent, and the books under clients that spend, reserve, capture and refund at the same time.

Hypothesis draws the acts and which of them run at once; how the database orders those is its own. The model takes from
each answer what was done, keeps counters of its own by a calendar of its own and lots of its own as plain lists, and
checks that no answer let through what could not fit and that every refusal was called for. What a lot is worth, and
escrows, are in `test_lots_machine.py`, which has no limits: these look at amounts only, whatever lots pay.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.common.accounts import org_credits, org_debt
from domain.common.errors import Conflict, DomainError
from domain.credits.lots import LotSource, LotTerms
from ledger.spends import ChangeResult, NewSpend, SpendOutcome, SpendResult
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, fresh
from tests.support.machines import PICKS, OverBooks, picked, run_machine
from tests.support.spends import Call, Tenant, limits, spend

pytestmark = pytest.mark.db

CREDITS = 600
AGENTS = ("a", "b")
AMOUNTS = st.integers(0, 60)
#: The clock only goes forward, in steps that end hours and days.
STEPS = st.sampled_from([timedelta(minutes=1), timedelta(minutes=50), timedelta(hours=13)])
#: How long granted credits last: some end before a reservation does, some after.
LASTS = st.sampled_from([timedelta(minutes=30), timedelta(hours=1), timedelta(hours=14)])


@dataclass(eq=False)
class Lot:
    """Credits that end together. `number` is the order in which lots were made."""

    number: int
    ends: datetime | None
    left: int
    held: int = 0


#: How much of which lot.
Part = tuple[Lot, int]


@dataclass
class Reserved:
    """What the model knows of a spend: what it has pinned, and what it took of lots and has not given back."""

    spend_id: UUID
    amount: int
    windows: list[tuple[str, str, datetime]]
    at: datetime
    expires_at: datetime | None
    captured: int = 0
    refunded: int = 0
    is_open: bool = True
    pins: list[Part] = field(default_factory=list)
    taken: list[Part] = field(default_factory=list)

    def capture(self, amount: int, *, more: bool) -> None:
        """Take the first of what is pinned; the rest stays pinned or is free again."""
        kept = []
        for lot, pinned in self.pins:
            part = min(amount, pinned)
            amount -= part
            lot.left -= part
            lot.held -= part
            self.taken += [(lot, part)] if part else []
            kept += [(lot, pinned - part)] if pinned > part else []
        assert not amount
        self.pins = kept
        if not more:
            self.unpin()

    def unpin(self) -> None:
        for lot, pinned in self.pins:
            lot.held -= pinned
        self.pins = []

    def give_back(self, amount: int) -> int:
        """Return the last of what was taken to its lots, and how much of the amount none of them had given."""
        return give_back(self.taken, amount)


def give_back(taken: list[Part], amount: int) -> int:
    while amount and taken:
        lot, part = taken.pop()
        back = min(part, amount)
        amount -= back
        lot.left += back
        taken += [(lot, part - back)] if part > back else []
    return amount


@dataclass
class Model:
    now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    lots: list[Lot] = field(default_factory=list)
    owed: int = 0
    #: When debts were paid, and what of which lots has paid them and was not given back.
    paid: list[tuple[datetime, list[Part]]] = field(default_factory=list)
    limit: dict[tuple[str, str], int] = field(default_factory=dict)
    spends: list[Reserved] = field(default_factory=list)

    def windows(self, agent: str) -> list[tuple[str, str, datetime]]:
        """Windows by the model's own calendar: hours and days of UTC."""
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        return [("org", "day", hour.replace(hour=0)), ("org", "hour", hour), (agent, "day", hour.replace(hour=0))]

    def used(self, window: tuple[str, str, datetime]) -> int:
        return sum((s.amount if s.is_open else s.captured) - s.refunded for s in self.spends if window in s.windows)

    def open_lot(self, amount: int, ends: datetime | None) -> None:
        self.lots.append(Lot(len(self.lots), ends, amount))

    def free(self) -> list[Lot]:
        """The lots that can be spent, in the order of spending: what ends first, then what was there first."""
        found = [lot for lot in self.lots if lot.left > lot.held and (lot.ends is None or lot.ends > self.now)]
        return sorted(found, key=lambda lot: (lot.ends is None, lot.ends or self.now, lot.number))

    @property
    def available(self) -> int:
        return sum(lot.left - lot.held for lot in self.free())

    def pick(self, amount: int) -> list[Part]:
        parts = []
        for lot in self.free():
            part = min(amount, lot.left - lot.held)
            parts += [(lot, part)] if part else []
            amount -= part
        assert not amount, "more was spent than there was"
        return parts

    def room(self, agent: str) -> int:
        """The most that one more spend may be: by the credits and by every window."""
        left = [self.limit[who, kind] - self.used((who, kind, start)) for who, kind, start in self.windows(agent)]
        # What was lowered below what is spent leaves nothing, and what costs nothing fits into it.
        return max(0, min(self.available, *left))

    def expire(self) -> None:
        for each in self.spends:
            if each.is_open and each.expires_at is not None and each.expires_at <= self.now:
                each.is_open = False
                each.unpin()

    def sweep(self) -> None:
        """Nobody has what is due and not pinned any more."""
        for lot in self.lots:
            if lot.ends is not None and lot.ends <= self.now:
                lot.left = lot.held


class SpendMachine(OverBooks):
    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.tenant = self.wait(Tenant.opened(self.books, CREDITS))
        self.model.open_lot(CREDITS, None)
        self.controls: dict[str, UUID] = {}
        self.wait(self._limit("org", day=500, hour=300))
        for agent in AGENTS:
            self.wait(self._limit(agent, day=200))

    async def _limit(self, who: str, **amounts: int) -> None:
        for window, amount in amounts.items():
            self.model.limit[who, window] = amount
        if who in self.controls:
            await self.tenant.write(self.controls[who], limits(**amounts).columns())
        else:
            subject = None if who == "org" else ("agent", who)
            self.controls[who] = await self.tenant.control(limits(**amounts), subject=subject)

    @rule(who=st.sampled_from(["org", *AGENTS]), amount=st.integers(0, 600))
    def change_limit(self, who: str, amount: int) -> None:
        self.wait(self._limit(who, day=amount, **({"hour": amount // 2} if who == "org" else {})))

    @rule(amount=st.integers(1, 200), lasts=st.none() | LASTS)
    def grant(self, amount: int, lasts: timedelta | None) -> None:
        ends = None if lasts is None else self.model.now + lasts
        self.wait(
            self.books.ledger.post(
                key=fresh("grant"),
                kind="test.grant",
                source=ISSUANCE,
                destination=org_credits(self.tenant.org_id),
                amount_minor=amount,
                effective_at=self.model.now,
                lots=LotTerms(source=LotSource.PROMOTION, expires_at=ends),
            )
        )
        self.model.open_lot(amount, ends)

    @rule(step=STEPS, sweeps=st.booleans())
    def pass_time(self, step: timedelta, sweeps: bool) -> None:
        """What is due is gone at its moment, whether or not the sweep of lots has been there."""
        self.model.now += step
        self.wait(self.books.ledger.expire_holds(now=self.model.now))
        self.model.expire()
        if sweeps:
            self.wait(self.books.ledger.expire_lots(now=self.model.now))
            self.model.sweep()

    @rule(agent=st.sampled_from(AGENTS), reserves=st.booleans(), amounts=st.lists(AMOUNTS, min_size=1, max_size=7),
          repeated=st.booleans())  # fmt: skip
    def spend_at_once(self, agent: str, reserves: bool, amounts: list[int], repeated: bool) -> None:
        news = [spend(amount or int(reserves), agent_id=agent) for amount in amounts]
        now = self.model.now
        calls: list[Call[SpendResult]] = []
        for new in news:
            for _ in range(2 if repeated else 1):
                calls.append(self._one(new, reserves, now))
        results = self.wait(self.tenant.at_once(*calls))
        times = len(calls) // len(news)
        groups = [results[start : start + times] for start in range(0, len(results), times)]
        firsts = []
        for answers in groups:
            found = [answer for answer in answers if isinstance(answer, SpendResult)]
            assert len(found) == times, answers
            assert len({(answer.outcome, answer.spend_id, answer.available_minor) for answer in found}) == 1
            assert [answer.replayed for answer in found].count(False) == 1
            firsts.append(found[0])
        self._settle_answers(agent, reserves, firsts)

    @rule(agent=st.sampled_from(AGENTS), amounts=st.lists(AMOUNTS, min_size=1, max_size=9))
    def charge_many(self, agent: str, amounts: list[int]) -> None:
        news = [spend(amount, agent_id=agent) for amount in amounts]
        answers = self.wait(self.tenant.spending.charge_many(news, at=self.model.now))
        # One after the other in the order given, so each answer is known beforehand.
        for answer in answers:
            assert (answer.outcome is SpendOutcome.CHARGED) == (answer.amount_minor <= self.model.room(agent))
            self._settle_answers(agent, False, [answer])

    def _one(self, new: NewSpend, reserves: bool, now: datetime) -> Call[SpendResult]:
        if reserves:
            return lambda client: client.authorize(new, expires_at=now + timedelta(hours=2), at=now)
        return lambda client: client.charge(new, at=now)

    def _settle_answers(self, agent: str, reserves: bool, answers: list[SpendResult]) -> None:
        room = self.model.room(agent)
        passed = [answer for answer in answers if answer.outcome in (SpendOutcome.CHARGED, SpendOutcome.RESERVED)]
        total = sum(answer.amount_minor for answer in passed)
        assert total <= room
        for answer in answers:
            if answer not in passed:
                assert answer.amount_minor > room - total
        # The order in which the database took them decides which lots each has.
        for answer in sorted(passed, key=lambda answer: (-answer.available_minor, not answer.amount_minor)):
            made = self._made(agent, answer, answer.amount_minor)
            assert answer.available_minor == self.model.available
            if not reserves:
                self._charged(made)

    def _made(self, agent: str, answer: SpendResult, paid: int) -> Reserved:
        assert answer.spend_id is not None
        windows = self.model.windows(agent)
        made = Reserved(
            answer.spend_id, answer.amount_minor, windows, self.model.now, answer.expires_at, pins=self.model.pick(paid)
        )
        for lot, part in made.pins:
            lot.held += part
        self.model.spends.append(made)
        return made

    @staticmethod
    def _charged(made: Reserved) -> None:
        made.captured, made.is_open = made.amount, False
        made.capture(sum(part for _, part in made.pins), more=False)

    @rule(agent=st.sampled_from(AGENTS), amount=AMOUNTS)
    def force(self, agent: str, amount: int) -> None:
        """What has happened is booked whatever the limits, and beyond the credits as a debt."""
        answer = self.wait(self.tenant.spending.force(spend(amount, agent_id=agent), at=self.model.now))
        paid = min(amount, self.model.available)
        self.model.owed += amount - paid
        self._charged(self._made(agent, answer, paid))

    @rule(amount=AMOUNTS)
    def pay_debt(self, amount: int) -> None:
        amount = min(amount, self.model.owed, self.model.available)
        if not amount:
            return
        org_id = self.tenant.org_id
        self.wait(
            self.books.ledger.post(
                key=fresh("paid"),
                kind="debt.paid",
                source=org_credits(org_id),
                destination=org_debt(org_id, "CREDIT"),
                amount_minor=amount,
                effective_at=self.model.now,
            )
        )
        parts = self.model.pick(amount)
        for lot, part in parts:
            lot.left -= part
        self.model.owed -= amount
        self.model.paid.append((self.model.now, parts))

    @rule(agent=st.sampled_from(AGENTS), amount=st.integers(1, 60), lasts=st.none() | LASTS, part=st.integers(1, 60))
    def owe_pay_and_have_back(self, agent: str, amount: int, lasts: timedelta | None, part: int) -> None:
        """What was used beyond the credits is paid by credits that may end, and comes back in two parts."""
        self.force(agent, self.model.available + amount)
        known = self.model.spends[-1]
        self.grant(amount, lasts)
        self.pay_debt(self.model.owed)
        part = min(part, known.amount)
        for back in (known.amount - part, part):
            if back:
                self._refund(known, back)

    @rule(pick=PICKS, ends=st.lists(st.tuples(st.sampled_from(["capture", "more", "release", "extend"]), AMOUNTS),
                                    min_size=1, max_size=4))  # fmt: skip
    def change_at_once(self, pick: int, ends: list[tuple[str, int]]) -> None:
        still_open = [s for s in self.model.spends if s.is_open]
        if not still_open:
            return
        known = picked(still_open, pick)
        now = self.model.now
        calls = [self._change(known.spend_id, kind, amount, now) for kind, amount in ends]
        results = self.wait(self.tenant.at_once(*calls))
        done = [result for result in results if isinstance(result, ChangeResult)]
        for refusal in results:
            assert isinstance(refusal, ChangeResult | DomainError)
        for change in sorted(done, key=lambda change: (change.held_minor == 0, -change.held_minor)):
            if change.expires_at is not None and change.held_minor:
                known.expires_at = max(change.expires_at, known.expires_at or change.expires_at)
            if change.transfer_id is not None:
                known.captured += change.amount_minor
                known.capture(change.amount_minor, more=change.held_minor > 0)
            if change.held_minor == 0:
                assert known.is_open
                known.is_open = False
                known.unpin()
        assert known.captured <= known.amount
        if not done:
            assert not all(kind == "release" for kind, _ in ends)

    def _change(self, spend_id: UUID, kind: str, amount: int, now: datetime) -> Call[ChangeResult]:
        key = fresh("change")
        if kind == "release":
            return lambda client: client.release(key=key, spend_id=spend_id, at=now)
        if kind == "extend":
            later = now + timedelta(hours=3, minutes=amount)
            return lambda client: client.extend(key=key, spend_id=spend_id, expires_at=later, at=now)
        return lambda client: client.settle(
            key=key, spend_id=spend_id, amount_minor=amount, more=kind == "more", at=now
        )

    @rule(pick=PICKS, amount=st.integers(1, 60))
    def refund(self, pick: int, amount: int) -> None:
        if not self.model.spends:
            return
        self._refund(picked(self.model.spends, pick), amount)

    def _refund(self, known: Reserved, amount: int) -> None:
        call = self.tenant.spending.refund(
            key=fresh("b"), spend_id=known.spend_id, amount_minor=amount, at=self.model.now
        )
        if amount > known.captured - known.refunded:
            with pytest.raises(Conflict):
                self.wait(call)
            return
        self.wait(call)
        known.refunded += amount
        repaid = min(amount, self.model.owed)
        self.model.owed -= repaid
        rest = known.give_back(amount - repaid)
        # What only made a debt goes back to what has paid debts since, the last of it first.
        for at, parts in reversed(self.model.paid):
            rest = give_back(parts, rest) if at >= known.at else rest
        if rest:
            self.model.open_lot(rest, None)

    @invariant()
    def balances_and_counters_are_the_models(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.wait(
            self.books.connections[0].fetch(
                "SELECT l.remaining, l.held FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id"
                " WHERE a.path = $1 ORDER BY l.id",
                org_credits(self.tenant.org_id).path,
            )
        )
        assert [tuple(row) for row in rows] == [(lot.left, lot.held) for lot in self.model.lots]
        posted, held = (sum(each) for each in zip(*((lot.left, lot.held) for lot in self.model.lots), strict=True))
        assert self.wait(self.tenant.balance()) == (posted, held)
        for agent in AGENTS:
            for who, kind, start in self.model.windows(agent):
                counted = self.wait(self.tenant.counter(self.controls[who], kind, self.model.now))
                used = counted["held"] + counted["spent"] + counted["forced"] - counted["refunded"]
                assert used == self.model.used((who, kind, start)), (who, kind, start)


@pytest.mark.draws
def test_spends_follow_their_model_under_concurrent_clients(fresh_database_urls: DatabaseUrls) -> None:
    run_machine(SpendMachine, fresh_database_urls.platform, clients=6, examples=25, steps=25, prepare=Tenant.opened)
