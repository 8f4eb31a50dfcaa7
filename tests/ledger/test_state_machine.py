"""A model of the books, and the books themselves under clients that act at the same time.

Hypothesis draws the commands and the groups that run at once; how the database orders a group is its own. The model
therefore takes from each answer what was done, and checks that every refusal was called for.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.common.accounts import Account, org_credits
from domain.common.errors import Conflict, DomainError, IdempotencyConflict, InsufficientFunds
from ledger.gateway import NewTransfer, PlacedHold, PostedTransfer
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, LATER, NOW, Books, fresh
from tests.support.machines import PICKS, OverBooks, picked, run_machine

pytestmark = pytest.mark.db

ORGS = st.integers(0, 2)
AMOUNTS = st.integers(1, 60)


@dataclass
class Modelled:
    """What the model knows of one hold."""

    held: PlacedHold
    owner: int
    amount: int
    ended: bool = False


@dataclass
class Model:
    posted: list[int] = field(default_factory=lambda: [0, 0, 0])
    pending: list[int] = field(default_factory=lambda: [0, 0, 0])
    entries: list[int] = field(default_factory=lambda: [0, 0, 0])
    holds: list[Modelled] = field(default_factory=list)
    done: dict[str, tuple[int, int, int, PostedTransfer]] = field(default_factory=dict)

    def available(self, org: int) -> int:
        return self.posted[org] - self.pending[org]

    def move(self, source: int, destination: int, amount: int) -> None:
        for org, signed in ((source, -amount), (destination, amount)):
            if org < 3:
                self.posted[org] += signed
                self.entries[org] += 1


class BooksMachine(OverBooks):
    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.orgs = [org_credits(fresh("org")) for _ in range(3)]

    def account(self, number: int) -> Account:
        return self.orgs[number] if number < 3 else COMMISSION

    @rule(org=ORGS, amount=AMOUNTS)
    def issue(self, org: int, amount: int) -> None:
        self.wait(self.books.issue(self.orgs[org], amount))
        self.model.move(3, org, amount)

    @rule(moves=st.lists(st.tuples(ORGS, st.integers(0, 3), AMOUNTS, st.integers(1, 3)), min_size=1, max_size=8))
    def post_at_once(self, moves: list[tuple[int, int, int, int]]) -> None:
        """Several transfers at the same time, some of them sent more than once under their key."""
        calls, plan = [], []
        for source, destination, amount, times in moves:
            if source == destination:
                continue
            key = fresh("k")
            for _ in range(times):
                plan.append((key, source, destination, amount))
                calls.append(self._post(key, source, destination, amount))
        results = self.wait(self.books.at_once(*calls))
        before = [self.model.available(org) for org in range(3)]
        outflow = [0, 0, 0]
        refused = []
        for (key, source, destination, amount), result in zip(plan, results, strict=True):
            if isinstance(result, PostedTransfer):
                known = self.model.done.get(key)
                assert known is None or known[3].transfer_id == result.transfer_id
                if known is None:
                    self.model.done[key] = (source, destination, amount, result)
                    self.model.move(source, destination, amount)
                    outflow[source] += amount
            else:
                assert isinstance(result, InsufficientFunds)
                refused.append((source, amount))
        for source, amount in refused:
            # A refusal was right if what had left by then could have made it so.
            assert before[source] - outflow[source] < amount

    def _post(self, key: str, source: int, destination: int, amount: int):
        return lambda ledger: ledger.post(
            key=key,
            kind="t",
            source=self.account(source),
            destination=self.account(destination),
            amount_minor=amount,
            effective_at=NOW,
        )

    @rule(pick=PICKS, change=st.integers(0, 5))
    def repeat_key(self, pick: int, change: int) -> None:
        if not self.model.done:
            return
        key = picked(list(self.model.done), pick)
        source, destination, amount, posted = self.model.done[key]
        [result] = self.wait(self.books.at_once(self._post(key, source, destination, amount + change)))
        if change:
            assert isinstance(result, IdempotencyConflict)
        else:
            assert result == PostedTransfer(posted.transfer_id, True)

    @rule(moves=st.lists(st.tuples(ORGS, st.integers(0, 3), AMOUNTS), min_size=1, max_size=10))
    def post_batch(self, moves: list[tuple[int, int, int]]) -> None:
        moves = [move for move in moves if move[0] != move[1]]
        transfers = [NewTransfer(fresh("k"), self.account(s), self.account(d), amount) for s, d, amount in moves]
        running = self.model.posted[:]
        fits = True
        for source, destination, amount in moves:
            running[source] -= amount
            fits = fits and running[source] - self.model.pending[source] >= 0
            if destination < 3:
                running[destination] += amount
        [result] = self.wait(
            self.books.at_once(lambda ledger: ledger.post_batch(kind="t", transfers=transfers, effective_at=NOW))
        )
        assert isinstance(result, list) == fits
        if isinstance(result, DomainError):
            assert isinstance(result, InsufficientFunds)
            return
        for posting, posted, move in zip(transfers, result, moves, strict=True):
            self.model.move(*move)
            self.model.done[posting.key] = (*move, posted)

    @rule(org=ORGS, amounts=st.lists(AMOUNTS, min_size=1, max_size=6))
    def hold_at_once(self, org: int, amounts: list[int]) -> None:
        before = self.model.available(org)
        results = self.wait(
            self.books.at_once(
                *(
                    lambda ledger, amount=amount: ledger.hold(
                        key=fresh("h"), account=self.orgs[org], amount_minor=amount, expires_at=LATER, held_at=NOW
                    )
                    for amount in amounts
                )
            )
        )
        taken = sum(amount for amount, result in zip(amounts, results, strict=True) if isinstance(result, PlacedHold))
        for amount, result in zip(amounts, results, strict=True):
            if isinstance(result, PlacedHold):
                self.model.holds.append(Modelled(result, org, amount))
                self.model.pending[org] += amount
            else:
                assert isinstance(result, InsufficientFunds)
                assert before - taken < amount
        assert taken <= max(before, 0)

    @rule(pick=PICKS, part=st.integers(1, 70), ends=st.lists(st.sampled_from("cve"), min_size=1, max_size=4))
    def end_hold_at_once(self, pick: int, part: int, ends: list[str]) -> None:
        """Captures, voids and late captures of one hold at the same time: at most one of them ends it."""
        if not self.model.holds:
            return
        hold = picked(self.model.holds, pick)
        amount = min(part, hold.amount)

        def end(how: str):
            key = fresh(how)
            if how == "v":
                return lambda ledger: ledger.void(key=key, hold_id=hold.held.hold_id, effective_at=NOW)
            return lambda ledger: ledger.capture(
                key=key,
                hold_id=hold.held.hold_id,
                amount_minor=amount,
                destination=COMMISSION,
                effective_at=NOW if how == "c" else LATER,
            )

        results = self.wait(self.books.at_once(*(end(how) for how in ends)))
        winners = [how for how, result in zip(ends, results, strict=True) if not isinstance(result, DomainError)]
        assert all(isinstance(result, Conflict) for result in results if isinstance(result, DomainError))
        assert len(winners) == (not hold.ended and any(how in "cv" for how in ends))
        for how in winners:
            hold.ended = True
            self.model.pending[hold.owner] -= hold.amount
            if how == "c":
                self.model.move(hold.owner, 3, amount)

    @rule()
    def sweep_at_once(self) -> None:
        results = self.wait(self.books.at_once(*(lambda ledger: ledger.expire_holds(now=LATER) for _ in range(2))))
        assert not [result for result in results if isinstance(result, DomainError)]
        for hold in self.model.holds:
            if not hold.ended:
                hold.ended = True
                self.model.pending[hold.owner] -= hold.amount

    @invariant()
    def balances_are_the_models(self) -> None:
        if not hasattr(self, "model"):
            return
        for number, account in enumerate(self.orgs):
            balance = self.wait(self.books.ledger.balance(account))
            assert balance.posted_minor == self.model.posted[number]
            assert balance.pending_minor == self.model.pending[number]
            assert balance.version == self.model.entries[number]
            assert balance.available_minor >= 0
            assert self.wait(self.books.ledger.balance_as_of(account, NOW)) == self.model.posted[number]


@pytest.mark.draws
def test_books_follow_their_model_under_concurrent_clients(fresh_database_urls: DatabaseUrls) -> None:
    async def issue_once(books: Books) -> None:
        assert await books.issue(org_credits(fresh("org")), 1)

    run_machine(BooksMachine, fresh_database_urls.platform, clients=6, examples=60, steps=15, prepare=issue_once)
