"""Lots against an independent model of spends, holds, refunds, earnings and expiry, with costs and ends.

The model keeps lots as plain lists and picks them by sorting. It knows nothing of how the database finds them.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from domain.common.accounts import Account, agent_earnings, agent_granted_earnings, escrow, org_credits, platform
from domain.common.errors import InsufficientFunds, Invalid
from domain.credits.lots import LotSource, LotTerms
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, NOW, fresh, open_books, recognise
from tests.support.machines import PICKS, OverBooks, picked, run_machine

pytestmark = pytest.mark.db

REDEMPTION = platform("credit_redemption", "CREDIT")
MONEY = [platform(name, "USD") for name in ("deferred_revenue", "payable", "breakage", "revenue/credits")]
AMOUNTS = st.integers(1, 40)
#: Two organizations, each of which may be the other's payer.
PARTIES = st.integers(0, 1)
#: How many days a lot is given at first.
TERMS = st.sampled_from([1, 2, 3, 6, None])
#: How many days refunds and conversions give.
DAYS = st.sampled_from([1, 4, None])


@dataclass(eq=False)
class Lot:
    """A lot of the model, on an account. `number` is the order in which lots were made."""

    number: int
    home: str
    amount: int
    paid: int
    priority: int
    ends: int | None
    opened: int
    source: str
    left: int
    root: "Lot | None" = None
    parent: "Lot | None" = None
    extended: int = 0
    held: int = 0
    costed: int = 0

    def take(self, part: int) -> int:
        """Take a part, and return its cost: the price of all parts so far, less that of the parts before."""
        self.left -= part
        gone = self.amount - self.left
        whole = self.paid if gone == self.amount else int(Fraction(self.paid * gone, self.amount))
        cost = max(0, whole - self.costed)
        self.costed += cost
        return cost

    def rank(self) -> tuple[object, ...]:
        return (self.priority, self.ends is None, self.ends or 0, self.paid > 0, self.number)

    def renewed(self, days: int | None, today: int) -> int | None:
        """Return the end after an extension by up to `days`; None if it keeps its end."""
        if days is None or self.ends is None:
            return None
        first = self.root or self
        assert first.ends is not None
        term, without = first.ends - first.opened, max(today, self.ends)
        until = min(today + days, today + term, without + term - self.extended)
        return until if until > without else None


@dataclass
class Slice:
    """The part of a lot that one transfer took, and how much of it has come back."""

    lot: Lot
    amount: int
    cost: int
    back: int = 0
    cost_back: int = 0


@dataclass
class Model:
    """Lots of all accounts, with the spends and holds on them."""

    day: int = 0
    lots: list[Lot] = field(default_factory=list)
    spent: list[tuple[UUID, int, list[Slice]]] = field(default_factory=list)
    holds: list[tuple[UUID, list[tuple[Lot, int]]]] = field(default_factory=list)

    def on(self, home: str) -> list[Lot]:
        return [lot for lot in self.lots if lot.home == home]

    def free(self, home: str, *, lapses: bool = True) -> list[Lot]:
        found = [lot for lot in self.on(home) if lot.left > lot.held]
        return sorted((lot for lot in found if not lapses or lot.ends is None or lot.ends > self.day), key=Lot.rank)

    def open(self, home: str, of: Lot, amount: int, cost: int, source: str, until: int | None) -> Lot:
        """Open a lot with a slice of another one."""
        gain = 0 if until is None or of.ends is None else until - max(self.day, of.ends)
        lot = Lot(
            number=len(self.lots),
            home=home,
            amount=amount,
            paid=cost,
            priority=of.priority,
            ends=of.ends if until is None else until,
            opened=self.day,
            source=source if until is None or source == "earnings" else "refund",
            left=amount,
            root=of.root or of,
            parent=of,
            extended=of.extended + gain,
        )
        self.lots.append(lot)
        return lot

    def move(self, pins: list[tuple[Lot, int]], home: str, days: int | None = None, source: str | None = None) -> None:
        """Bring slices of lots to another account: back into the lots that they came from, or as lots of their own."""
        for lot, part in pins:
            cost, name, until = lot.take(part), source or lot.source, lot.renewed(days, self.day)
            known = [
                old
                for old in (lot.parent, lot.root)
                if old is not None and old.home == home and old.amount - old.left >= part and old.costed >= cost
                if (old.source, old.ends) == (name, lot.ends)
            ]
            if known and until is None:
                known[0].left += part
                known[0].costed -= cost
            else:
                self.open(home, lot, part, cost, name, until)


def total(lots: list[Lot]) -> int:
    return sum(lot.left - lot.held for lot in lots)


def pick(lots: list[Lot], amount: int) -> list[tuple[Lot, int]]:
    found = []
    for lot in lots:
        part = min(amount, lot.left - lot.held)
        found.append((lot, part))
        amount -= part
        if not amount:
            return found
    raise AssertionError("the model was asked for more than it has")


class LotsMachine(OverBooks):
    @initialize(terms=st.tuples(TERMS, TERMS))
    def open(self, terms: tuple[int | None, int | None]) -> None:
        self.model = Model()
        orgs = [fresh("org"), fresh("org")]
        self.wallets = [org_credits(org) for org in orgs]
        self.escrows = [escrow(fresh("esc"), "CREDIT", org) for org in orgs]
        self.granted = [agent_granted_earnings(fresh("agt"), org) for org in orgs]
        self.paid = [agent_earnings(fresh("agt"), "CREDIT", org) for org in orgs]
        # What others left would expire in the midst of this.
        self.wait(self.books.ledger.expire_lots(now=NOW + timedelta(days=500), limit=10_000))
        self.before, self.expired = self.recognised(100), 0
        for party, days in enumerate(terms):
            self.get(party, 20, 33 * party, days, 0)

    @property
    def now(self):
        return NOW + timedelta(days=self.model.day)

    def move(self, source: Account, destination: Account, amount: int, lots: LotTerms | None = None):
        return self.wait(
            self.books.ledger.post(
                key=fresh("k"),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=amount,
                effective_at=self.now,
                lots=lots,
            )
        )

    @rule(
        party=PARTIES,
        amount=AMOUNTS,
        paid=st.just(0) | st.integers(0, 99),
        days=TERMS,
        priority=st.integers(0, 1),
    )
    def get(self, party: int, amount: int, paid: int, days: int | None, priority: int) -> None:
        ends = None if days is None else self.model.day + days
        source = LotSource.PURCHASE if paid else LotSource.PROMOTION
        terms = LotTerms(
            source=source,
            expires_at=None if ends is None else NOW + timedelta(days=ends),
            paid_minor=paid,
            paid_asset="USD" if paid else None,
            priority=priority,
        )
        if paid:
            self.wait(self.books.pay(paid))
        home = self.wallets[party]
        self.move(ISSUANCE, home, amount, terms)
        number = len(self.model.lots)
        lot = Lot(number, home.path, amount, paid, priority, ends, self.model.day, source.value, left=amount)
        self.model.lots.append(lot)

    @rule(party=PARTIES, amount=AMOUNTS)
    def spend(self, party: int, amount: int) -> None:
        wallet = self.wallets[party]
        free = self.model.free(wallet.path)
        if amount > total(free):
            with pytest.raises(InsufficientFunds):
                self.move(wallet, REDEMPTION, amount)
            return
        posted = self.move(wallet, REDEMPTION, amount)
        taken = [Slice(lot, part, lot.take(part)) for lot, part in pick(free, amount)]
        self.model.spent.append((posted.transfer_id, party, taken))

    @precondition(lambda self: self.model.spent)
    @rule(which=PICKS, part=AMOUNTS, days=DAYS)
    def refund(self, which: int, part: int, days: int | None) -> None:
        transfer, party, slices = picked(self.model.spent, which)
        part = min(part, sum(taken.amount - taken.back for taken in slices))
        if not part:
            return
        self.move(REDEMPTION, self.wallets[party], part, LotTerms(returns=transfer, renew_days=days))
        for taken in sorted(slices, key=lambda each: each.lot.rank(), reverse=True):
            some = min(part, taken.amount - taken.back)
            part -= some
            if some:
                self.restore(taken, some, days)

    def restore(self, taken: Slice, some: int, days: int | None) -> None:
        lot = taken.lot
        taken.back += some
        whole = taken.cost if taken.back == taken.amount else int(Fraction(taken.cost * taken.back, taken.amount))
        cost = max(0, whole - taken.cost_back)
        taken.cost_back += cost
        until = lot.renewed(days, self.model.day)
        if until is None:
            lot.left += some
            lot.costed -= cost
        else:
            self.model.open(lot.home, lot, some, cost, lot.source, until)

    @rule(party=PARTIES, amount=AMOUNTS)
    def hold(self, party: int, amount: int) -> None:
        def take():
            return self.books.ledger.hold(
                key=fresh("h"),
                account=self.wallets[party],
                amount_minor=amount,
                expires_at=NOW + timedelta(days=1000),
                held_at=self.now,
            )

        free = self.model.free(self.wallets[party].path)
        if amount > total(free):
            with pytest.raises(InsufficientFunds):
                self.wait(take())
            return
        pins = pick(free, amount)
        self.model.holds.append((self.wait(take()).hold_id, pins))
        for lot, part in pins:
            lot.held += part

    @precondition(lambda self: self.model.holds)
    @rule(which=PICKS, part=st.integers(0, 40))
    def end_hold(self, which: int, part: int) -> None:
        """Capture a part of a hold, or with none of it give it back."""
        hold, pins = self.model.holds.pop(which % len(self.model.holds))
        part = min(part, sum(amount for _, amount in pins))
        if not part:
            self.wait(self.books.ledger.void(key=fresh("v"), hold_id=hold, effective_at=self.now))
        for lot, amount in pins:
            lot.held -= amount
        if not part:
            return
        posted = self.wait(
            self.books.ledger.capture(
                key=fresh("c"), hold_id=hold, amount_minor=part, destination=REDEMPTION, effective_at=self.now
            )
        )
        party = [wallet.path for wallet in self.wallets].index(pins[0][0].home)
        taken = []
        for lot, amount in pins:
            some = min(part, amount)
            part -= some
            if some:
                taken.append(Slice(lot, some, lot.take(some)))
        self.model.spent.append((posted.transfer_id, party, taken))

    @rule(party=PARTIES, amount=AMOUNTS)
    def fund(self, party: int, amount: int) -> None:
        source, held = self.wallets[party], self.escrows[party]
        free = self.model.free(source.path)
        if amount <= total(free):
            self.move(source, held, amount)
            self.model.move(pick(free, amount), held.path)

    @rule(party=PARTIES, part=AMOUNTS, days=DAYS)
    def give_back(self, party: int, part: int, days: int | None) -> None:
        """Return a part of an escrow to its payer; `days` extend it, and are None if the payer caused the return."""
        source, wallet = self.escrows[party], self.wallets[party]
        free = self.model.free(source.path, lapses=False)
        part = min(part, total(free))
        if part:
            self.move(source, wallet, part, None if days is None else LotTerms(renew_days=days))
            self.model.move(pick(free, part), wallet.path, days)

    @rule(party=PARTIES)
    def release(self, party: int) -> None:
        """Release all of an escrow to the other party: granted credits apart from purchased ones."""
        source = self.escrows[party]
        for only, earned in (("granted", self.granted[1 - party]), ("paid", self.paid[1 - party])):
            free = [lot for lot in self.model.free(source.path, lapses=False) if (lot.paid > 0) == (only == "paid")]
            if free:
                self.move(source, earned, total(free), LotTerms(only=only))
                self.model.move(pick(free, total(free)), earned.path)

    @rule(party=PARTIES, granted=st.booleans(), amount=AMOUNTS, days=st.integers(1, 4))
    def convert(self, party: int, granted: bool, amount: int, days: int) -> None:
        source, wallet = (self.granted if granted else self.paid)[party], self.wallets[party]
        terms = LotTerms(source=LotSource.EARNINGS, lasting=True, renew_days=days)
        free = self.lasting(source.path, days)
        if amount > total(free):
            with pytest.raises(InsufficientFunds):
                self.move(source, wallet, amount, terms)
            return
        self.move(source, wallet, amount, terms)
        self.model.move(pick(free, amount), wallet.path, days, "earnings")

    @rule(party=PARTIES, days=DAYS, later=st.integers(0, 2), times=st.integers(1, 4))
    def pay_and_have_back(self, party: int, days: int | None, later: int, times: int) -> None:
        """All that a party has goes round through its escrow, several times."""
        for _ in range(times):
            self.fund_all(party, later)
            self.give_back(party, 10_000, days)

    @rule(party=PARTIES, days=st.integers(1, 4), later=st.integers(0, 2), times=st.integers(1, 4))
    def pay_each_other(self, party: int, days: int, later: int, times: int) -> None:
        """Move all of a party's credits to the other party, and back."""
        for _ in range(times):
            self.fund_all(party, later)
            self.release(party)
            for granted, earned in ((True, self.granted), (False, self.paid)):
                lasting = self.lasting(earned[1 - party].path, days)
                self.convert(1 - party, granted, total(lasting) or 1, days)
            party = 1 - party

    def fund_all(self, party: int, later: int) -> None:
        amount = total(self.model.free(self.wallets[party].path))
        if amount:
            self.fund(party, amount)
        self.model.day += later

    def lasting(self, home: str, days: int) -> list[Lot]:
        day = self.model.day
        free = self.model.free(home, lapses=False)
        return [lot for lot in free if lot.ends is None or lot.ends > day or lot.renewed(days, day)]

    @rule(days=st.integers(1, 3), sweeps=st.booleans())
    def pass_time(self, days: int, sweeps: bool) -> None:
        self.model.day += days
        if sweeps:
            self.wait(self.books.ledger.expire_lots(now=self.now))
            homes = [wallet.path for wallet in self.wallets]
            for lot in self.model.lots:
                if lot.home in homes and lot.ends is not None and lot.ends <= self.model.day and lot.left > lot.held:
                    self.expired += lot.take(lot.left - lot.held)

    def recognised(self, page: int) -> list[int]:
        """Book what was used, so much at a time, and return deferred revenue, payables, breakage and revenue."""

        self.wait(recognise(self.books.connections[0], page))
        return [balance.posted_minor for balance in self.wait(self.books.ledger.balances(MONEY))]

    @rule(page=st.integers(1, 4))
    def recognise(self, page: int) -> None:
        gained = [after - before for after, before in zip(self.recognised(page), self.before, strict=True)]
        left = sum(lot.paid - lot.costed for lot in self.model.lots)
        owed = sum(lot.paid - lot.costed for earned in self.paid for lot in self.model.on(earned.path))
        used = sum(lot.paid for lot in self.model.lots if lot.parent is None) - left - self.expired
        assert gained == [left - owed, owed, self.expired, used]

    @invariant()
    def lots_are_the_models(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.wait(
            self.books.connections[0].fetch(
                "SELECT a.path, l.remaining, l.held, l.paid - l.costed, extract(day FROM l.expires_at - $2)::integer,"
                " extract(day FROM l.extended)::integer, l.source"
                " FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = ANY ($1)"
                " ORDER BY l.id",
                [a.path for a in (*self.wallets, *self.escrows, *self.granted, *self.paid)],
                NOW,
            )
        )
        model = [
            (lot.home, lot.left, lot.held, lot.paid - lot.costed, lot.ends, lot.extended, lot.source)
            for lot in self.model.lots
        ]
        assert [tuple(row) for row in rows] == model
        available = self.wait(self.books.ledger.available(self.wallets, self.now))
        assert available == [total(self.model.free(wallet.path)) for wallet in self.wallets]


@pytest.mark.draws
def test_lots_follow_their_model(fresh_database_urls: DatabaseUrls) -> None:
    run_machine(LotsMachine, fresh_database_urls.platform, clients=1, examples=40, steps=20)


async def test_callers_at_once_never_overspend_and_lots_stay_the_balance(fresh_database_urls: DatabaseUrls) -> None:
    """Forty callers spend, hold, fund, sweep, refund and convert one organization's credits, of which some are due."""
    async with open_books(fresh_database_urls.platform, clients=10) as books:
        org = fresh("org")
        wallet, held = org_credits(org), escrow(fresh("esc"), "CREDIT", org)
        await books.issue(wallet, 150)
        for number in range(10):
            await books.ledger.post(
                key=fresh("k"),
                kind="t",
                source=ISSUANCE,
                destination=wallet,
                amount_minor=10,
                effective_at=NOW,
                lots=LotTerms(source=LotSource.PROMOTION, expires_at=NOW + timedelta(days=1 + number % 2)),
            )
        earned = agent_granted_earnings(fresh("agt"), org)
        await books.issue(earned, 30)
        # All of it was of what is due by then.
        used_before = await books.ledger.post(
            key=fresh("k"), kind="t", source=wallet, destination=REDEMPTION, amount_minor=20, effective_at=NOW
        )

        at = NOW + timedelta(days=1)

        def spend(destination: Account, amount: int):
            return lambda ledger: ledger.post(
                key=fresh("k"), kind="t", source=wallet, destination=destination, amount_minor=amount, effective_at=at
            )

        def reserve(amount: int):
            return lambda ledger: ledger.hold(
                key=fresh("h"), account=wallet, amount_minor=amount, expires_at=at + timedelta(hours=1), held_at=at
            )

        def bring(source: Account, amount: int, lots: LotTerms):
            return lambda ledger: ledger.post(
                key=fresh("k"),
                kind="t",
                source=source,
                destination=wallet,
                amount_minor=amount,
                effective_at=at,
                lots=lots,
            )

        convert = bring(earned, 4, LotTerms(source=LotSource.EARNINGS, lasting=True, renew_days=7))
        refund = bring(REDEMPTION, 3, LotTerms(returns=used_before.transfer_id, renew_days=7))
        calls = [
            call
            for number in range(40)
            for call in (
                spend(REDEMPTION, 1 + number % 5),
                spend(held, 3),
                reserve(2),
                lambda ledger: ledger.expire_lots(now=at),
                convert if number % 4 else refund,
            )
        ]
        results = await books.at_once(*calls)
        refused = [result for result in results if isinstance(result, Exception)]
        assert all(isinstance(result, InsufficientFunds | Invalid) for result in refused)
        # 200 of the 250 were to be had, and far more was asked for; 28 of the 30 came by fours, 18 of the 20 by threes.
        balance, escrowed = await books.ledger.balances([wallet, held])
        used = sum(1 + number % 5 for number in range(40) if not isinstance(results[5 * number], Exception))
        await books.ledger.expire_lots(now=at)
        balance = await books.ledger.balance(wallet)
        assert used + escrowed.posted_minor + balance.posted_minor == 200 + 28 + 18
        assert 0 <= balance.available_minor < 5
        await books.assert_proven()
