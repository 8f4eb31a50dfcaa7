"""Lots against an independent model: what is spent, held, refunded and swept, with what it cost and when it ends.

The model keeps lots as plain lists and picks them by sorting. It knows nothing of how the database finds them.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from domain.accounts import Account, escrow, org_credits, platform
from domain.errors import InsufficientFunds
from domain.lots import LotSource, LotTerms
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, NOW, fresh, open_books, recognise
from tests.support.machines import OverBooks, run_machine

pytestmark = pytest.mark.db

REDEMPTION = platform("credit_redemption", "CREDIT")
MONEY = [platform(name, "USD") for name in ("deferred_revenue", "breakage", "revenue/credits")]
AMOUNTS = st.integers(1, 40)


@dataclass
class Lot:
    """A lot of the model. `number` is the order in which lots were made."""

    number: int
    amount: int
    paid: int
    priority: int
    ends: int | None
    left: int = 0
    held: int = 0
    costed: int = 0

    def take(self, part: int) -> int:
        """Take a part, and return what it cost: what was paid for all that has gone, less what went before."""
        self.left -= part
        gone = self.amount - self.left
        whole = self.paid if gone == self.amount else int(Fraction(self.paid * gone, self.amount))
        cost = max(0, whole - self.costed)
        self.costed += cost
        return cost

    def rank(self) -> tuple[object, ...]:
        return (self.priority, self.ends is None, self.ends or 0, self.paid > 0, self.number)


@dataclass
class Slice:
    """What one transfer took of a lot, and what of it has come back."""

    lot: Lot
    amount: int
    cost: int
    back: int = 0
    cost_back: int = 0


@dataclass
class Model:
    """One organization's credits, and what it has in escrow by the lot that it came from."""

    day: int = 0
    lots: list[Lot] = field(default_factory=list)
    spent: dict[UUID, list[Slice]] = field(default_factory=dict)
    holds: dict[UUID, list[tuple[Lot, int]]] = field(default_factory=dict)
    escrow: list[Slice] = field(default_factory=list)

    def free(self) -> list[Lot]:
        found = [lot for lot in self.lots if lot.left > lot.held and (lot.ends is None or lot.ends > self.day)]
        return sorted(found, key=Lot.rank)

    def available(self) -> int:
        return sum(lot.left - lot.held for lot in self.free())

    def pick(self, amount: int) -> list[tuple[Lot, int]]:
        picked = []
        for lot in self.free():
            part = min(amount, lot.left - lot.held)
            picked.append((lot, part))
            amount -= part
            if not amount:
                return picked
        raise AssertionError("the model was asked for more than it has")


class LotsMachine(OverBooks):
    @initialize()
    def open(self) -> None:
        self.model = Model()
        org = fresh("org")
        self.wallet, self.held = org_credits(org), escrow(fresh("esc"), "CREDIT", org)
        # What others left would expire in the midst of this.
        self.wait(self.books.ledger.expire_lots(now=NOW + timedelta(days=500), limit=10_000))
        self.before, self.expired = self.recognised(100), 0

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

    @rule(amount=AMOUNTS, paid=st.integers(0, 99), days=st.none() | st.integers(1, 6), priority=st.integers(0, 1))
    def get(self, amount: int, paid: int, days: int | None, priority: int) -> None:
        ends = None if days is None else self.model.day + days
        terms = LotTerms(
            source=LotSource.PURCHASE if paid else LotSource.PROMOTION,
            expires_at=None if ends is None else NOW + timedelta(days=ends),
            paid_minor=paid,
            paid_asset="USD" if paid else None,
            priority=priority,
        )
        if paid:
            self.wait(self.books.pay(paid))
        self.move(ISSUANCE, self.wallet, amount, terms)
        self.model.lots.append(Lot(len(self.model.lots), amount, paid, priority, ends, left=amount))

    @rule(amount=AMOUNTS)
    def spend(self, amount: int) -> None:
        if amount > self.model.available():
            with pytest.raises(InsufficientFunds):
                self.move(self.wallet, REDEMPTION, amount)
            return
        posted = self.move(self.wallet, REDEMPTION, amount)
        taken = [Slice(lot, part, lot.take(part)) for lot, part in self.model.pick(amount)]
        self.model.spent[posted.transfer_id] = taken

    @precondition(lambda self: self.model.spent)
    @rule(data=st.data(), part=AMOUNTS)
    def give_back(self, data: st.DataObject, part: int) -> None:
        transfer = data.draw(st.sampled_from(sorted(self.model.spent)))
        slices = self.model.spent[transfer]
        part = min(part, sum(taken.amount - taken.back for taken in slices))
        if not part:
            return
        self.move(REDEMPTION, self.wallet, part, LotTerms(returns=transfer))
        for taken in sorted(slices, key=lambda each: each.lot.rank(), reverse=True):
            some = min(part, taken.amount - taken.back)
            part -= some
            self.restore(taken, some)

    def restore(self, taken: Slice, some: int) -> None:
        taken.back += some
        whole = taken.cost if taken.back == taken.amount else int(Fraction(taken.cost * taken.back, taken.amount))
        cost = max(0, whole - taken.cost_back)
        taken.cost_back += cost
        taken.lot.left += some
        taken.lot.costed -= cost

    @rule(amount=AMOUNTS)
    def hold(self, amount: int) -> None:
        def take():
            return self.books.ledger.hold(
                key=fresh("h"),
                account=self.wallet,
                amount_minor=amount,
                expires_at=NOW + timedelta(days=1000),
                held_at=self.now,
            )

        if amount > self.model.available():
            with pytest.raises(InsufficientFunds):
                self.wait(take())
            return
        pins = self.model.pick(amount)
        self.model.holds[self.wait(take()).hold_id] = pins
        for lot, part in pins:
            lot.held += part

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), part=st.integers(0, 40))
    def end_hold(self, data: st.DataObject, part: int) -> None:
        """Capture a part of a hold, or with none of it give it back."""
        hold = data.draw(st.sampled_from(sorted(self.model.holds)))
        pins = self.model.holds.pop(hold)
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
        taken = []
        for lot, amount in pins:
            some = min(part, amount)
            part -= some
            if some:
                taken.append(Slice(lot, some, lot.take(some)))
        self.model.spent[posted.transfer_id] = taken

    @rule(amount=AMOUNTS)
    def fund(self, amount: int) -> None:
        if amount > self.model.available() or self.model.escrow:
            return
        self.move(self.wallet, self.held, amount)
        self.model.escrow = [Slice(lot, part, lot.take(part)) for lot, part in self.model.pick(amount)]

    @precondition(lambda self: self.model.escrow)
    @rule()
    def cancel(self) -> None:
        """All of it comes back, into the lots that it came from and with what they cost."""
        self.move(self.held, self.wallet, sum(taken.amount for taken in self.model.escrow))
        for taken in self.model.escrow:
            taken.lot.left += taken.amount
            taken.lot.costed -= taken.cost
        self.model.escrow = []

    @rule(days=st.integers(1, 3), sweeps=st.booleans())
    def pass_time(self, days: int, sweeps: bool) -> None:
        self.model.day += days
        if sweeps:
            self.wait(self.books.ledger.expire_lots(now=self.now))
            for lot in self.model.lots:
                if lot.ends is not None and lot.ends <= self.model.day and lot.left > lot.held:
                    self.expired += lot.take(lot.left - lot.held)

    def recognised(self, page: int) -> list[int]:
        """Book what was used, so much at a time, and return deferred revenue, breakage and revenue."""

        self.wait(recognise(self.books.connections[0], page))
        return [balance.posted_minor for balance in self.wait(self.books.ledger.balances(MONEY))]

    @rule(page=st.integers(1, 4))
    def recognise(self, page: int) -> None:
        gained = [after - before for after, before in zip(self.recognised(page), self.before, strict=True)]
        left = sum(lot.paid - lot.costed for lot in self.model.lots) + sum(taken.cost for taken in self.model.escrow)
        used = sum(lot.paid for lot in self.model.lots) - left - self.expired
        assert gained == [left, self.expired, used]

    @invariant()
    def lots_are_the_models(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.wait(
            self.books.connections[0].fetch(
                "SELECT l.remaining, l.held, l.paid - l.costed FROM ledger.lots l"
                " JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1 AND l.parent_id IS NULL"
                " ORDER BY l.transfer_id",
                self.wallet.path,
            )
        )
        model = [(lot.left, lot.held, lot.paid - lot.costed) for lot in self.model.lots]
        assert [tuple(row) for row in rows] == model
        balance = self.wait(self.books.ledger.balance(self.wallet))
        assert balance.posted_minor == sum(left for left, _, _ in model)
        assert balance.pending_minor == sum(held for _, held, _ in model)
        assert self.wait(self.books.ledger.available([self.wallet], self.now)) == [self.model.available()]


@pytest.mark.timeout(300)
def test_lots_follow_their_model(fresh_database_urls: DatabaseUrls) -> None:
    run_machine(LotsMachine, fresh_database_urls.platform, clients=1, examples=60, steps=25)


async def test_callers_at_once_never_overspend_and_lots_stay_the_balance(fresh_database_urls: DatabaseUrls) -> None:
    """Forty callers spend, hold, fund and sweep one organization's credits, of which some are due."""
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

        at = NOW + timedelta(days=1)

        def spend(destination: Account, amount: int):
            return lambda ledger: ledger.post(
                key=fresh("k"), kind="t", source=wallet, destination=destination, amount_minor=amount, effective_at=at
            )

        def reserve(amount: int):
            return lambda ledger: ledger.hold(
                key=fresh("h"), account=wallet, amount_minor=amount, expires_at=at + timedelta(hours=1), held_at=at
            )

        calls = [
            call
            for number in range(40)
            for call in (
                spend(REDEMPTION, 1 + number % 5),
                spend(held, 3),
                reserve(2),
                lambda ledger: ledger.expire_lots(now=at),
            )
        ]
        results = await books.at_once(*calls)
        refused = [result for result in results if isinstance(result, Exception)]
        assert all(isinstance(result, InsufficientFunds) for result in refused)
        # 200 of the 250 were to be had, and far more was asked for.
        balance, escrowed = await books.ledger.balances([wallet, held])
        used = sum(1 + number % 5 for number in range(40) if not isinstance(results[4 * number], Exception))
        await books.ledger.expire_lots(now=at)
        balance = await books.ledger.balance(wallet)
        assert used + escrowed.posted_minor + balance.posted_minor == 200
        assert 0 <= balance.available_minor < 5
        await books.assert_proven()
