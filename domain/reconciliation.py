"""Compares the provider's statement with our books, movement by movement, and finds corrections.

Movements are matched by their key, never by amount or time. What is compared is what each side did to the balance: in
each currency an amount and a fee. A fee that is not known counts as none, because nothing is booked for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain import accounts
from domain.accounts import Account
from domain.money import format_amount
from domain.payment.snapshot import BalanceTransaction

#: How late a provider's own statement is; what is younger is not missed there yet. PayPal's reference of Transaction
#: Search says three hours, others list at once.
STATEMENT_DELAY: Mapping[str, timedelta] = {"paypal": timedelta(hours=4)}
#: How far beyond the window the statement is read, so that what each side dates differently is found all the same.
MARGIN = timedelta(hours=2)
#: How much of what was compared before is compared again: what was booked, listed or disputed late is found then.
OVERLAP = timedelta(days=1)
#: The longest window of one run.
MAX_WINDOW = timedelta(days=93)
#: How far back the nightly run reaches when no run was done for a while.
FARTHEST_BACK = timedelta(days=31)


class MatchStatus(StrEnum):
    """What a comparison says of one key."""

    MATCHED = "matched"
    MISSING_HERE = "missing_here"  # the provider lists it, it is not booked
    MISSING_THERE = "missing_there"  # it is booked, the provider does not list it
    AMOUNT_DIFFERS = "amount_differs"  # amount, fee or currency
    FEE_MISSING = "fee_missing"  # booked before the provider told its fee, which it does by now
    NOT_LISTED_YET = "not_listed_yet"  # booked, and too young to be in the provider's statement


class Action(StrEnum):
    """`book` books what makes the books agree with the provider; `accept` leaves them as they are."""

    BOOK = "book"
    ACCEPT = "accept"


#: What is a difference. The others are no reason to call anybody.
DISCREPANCIES = frozenset(
    {MatchStatus.MISSING_HERE, MatchStatus.MISSING_THERE, MatchStatus.AMOUNT_DIFFERS, MatchStatus.FEE_MISSING}
)
#: What a correction can be booked for. A missing fee is booked by its payment as soon as it looks.
BOOKABLE = DISCREPANCIES - {MatchStatus.FEE_MISSING}


@dataclass(frozen=True, slots=True)
class Effect:
    """What movements did to a balance of one currency: the amount before fees, and the fees."""

    amount_minor: int
    fee_minor: int


def effects(movements: Iterable[BalanceTransaction]) -> dict[str, Effect]:
    """Add movements up by currency; a currency in which nothing remains is left out."""
    found: dict[str, Effect] = {}
    for movement in movements:
        before = found.get(movement.currency, Effect(0, 0))
        fee = movement.fee_minor or 0
        found[movement.currency] = Effect(before.amount_minor + movement.amount_minor, before.fee_minor + fee)
    return {currency: effect for currency, effect in found.items() if effect != Effect(0, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One key on both sides.

    Attributes:
        key: of the movement.
        booked: what our books hold under the key: the movement, and corrections of it.
        listed: what the provider's statement says; None when it says nothing.
        match_status: see `MatchStatus`.
    """

    key: str
    booked: tuple[BalanceTransaction, ...]
    listed: BalanceTransaction | None
    match_status: MatchStatus

    @property
    def one(self) -> BalanceTransaction:
        """The movement as the provider reports it, or else as it is booked."""
        return self.listed or self.booked[0]

    @property
    def payment_id(self) -> str | None:
        """Our payment, where either side knows it."""
        known = (movement.payment_id for movement in (*self.booked, *self._listed()))
        return next((payment_id for payment_id in known if payment_id), None)

    @property
    def ours(self) -> dict[str, Effect]:
        """What is booked, by currency."""
        return effects(self.booked)

    @property
    def theirs(self) -> dict[str, Effect]:
        """What is listed, by currency."""
        return effects(self._listed())

    def _listed(self) -> tuple[BalanceTransaction, ...]:
        return () if self.listed is None else (self.listed,)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """The state of a key before its line is read; only one line of a statement belongs to the key.

    Attributes:
        line: the provider's id of the line that a difference was seen with under the key.
        others: the ids of lines that differences were seen with under keys of their own beside it.
        booked: what is booked under the key, the movement first.
    """

    line: str | None = None
    others: frozenset[str] = frozenset()
    booked: tuple[BalanceTransaction, ...] = ()

    def is_another(self, listed: BalanceTransaction) -> bool:
        """Return whether a line that is listed under the key is another one than the key's own.

        A line that was told apart stays apart, also where the key's own line is not listed with it. Where no difference
        says which line is the key's own, one of another amount is not, if it happened so long before or after what is
        booked that the statement was not read for both.
        """
        if listed.statement_ref is None:
            return False
        if self.line is not None or listed.statement_ref in self.others:
            return listed.statement_ref != self.line
        return len(self.booked) == 1 and self._is_far(listed, self.booked[0])

    def order(self, listed: BalanceTransaction) -> tuple[bool, datetime, str]:
        """Return what lines under one key are ordered by: the first is its own, in whatever order they are read."""
        differs = bool(self.booked) and effects(self.booked) != effects((listed,))
        return differs, listed.occurred_at, listed.statement_ref or ""

    @staticmethod
    def _is_far(listed: BalanceTransaction, booked: BalanceTransaction) -> bool:
        differs = listed.currency == booked.currency and listed.amount_minor != booked.amount_minor
        return differs and abs(listed.occurred_at - booked.occurred_at) > MARGIN


def compare(
    key: str, booked: Sequence[BalanceTransaction], listed: BalanceTransaction | None, *, listed_until: datetime
) -> Compared:
    """Compare what is booked under a key with what the provider lists under it; one of them is there.

    Args:
        key: of the movement.
        booked: the movement as it was booked, then its corrections.
        listed: the provider's line.
        listed_until: until when the provider's statement is complete.
    """
    match_status = _match_status(booked, listed, listed_until)
    return Compared(key=key, booked=tuple(booked), listed=listed, match_status=match_status)


def _match_status(
    booked: Sequence[BalanceTransaction], listed: BalanceTransaction | None, listed_until: datetime
) -> MatchStatus:
    ours, theirs = effects(booked), effects(() if listed is None else (listed,))
    if ours == theirs:
        return MatchStatus.MATCHED
    if listed is None:
        late = booked[0].occurred_at >= listed_until
        return MatchStatus.NOT_LISTED_YET if late else MatchStatus.MISSING_THERE
    if not booked:
        return MatchStatus.MISSING_HERE
    same_amount = {currency: effect.amount_minor for currency, effect in ours.items()} == {
        currency: effect.amount_minor for currency, effect in theirs.items()
    }
    if same_amount and any(movement.fee_minor is None for movement in booked):
        return MatchStatus.FEE_MISSING
    return MatchStatus.AMOUNT_DIFFERS


_STORIES = {
    MatchStatus.MISSING_HERE: "{provider} lists {what}, but it is not booked",
    MatchStatus.MISSING_THERE: "{what} is booked, but {provider} does not list it",
    MatchStatus.AMOUNT_DIFFERS: "{provider} lists {what}, but {ours} is booked",
    MatchStatus.FEE_MISSING: "{provider} lists the fee of {what}, but it is not booked",
}


def describe(provider: str, compared: Compared) -> str:
    """Say in one sentence what differs, with the ids that a person looks for."""
    one, sides = compared.one, (compared.listed,) if compared.listed else compared.booked
    text = _STORIES[compared.match_status].format(
        provider=provider,
        what=f"{one.kind.value} {compared.key} of {_written(sides)}",
        ours=_written(compared.booked),
    )
    ids = [f"{name} {ref}" for name, ref in (("line", one.statement_ref), ("payment", compared.payment_id)) if ref]
    return f"{text} ({', '.join(ids)})." if ids else f"{text}."


def _written(movements: Iterable[BalanceTransaction]) -> str:
    amounts = [
        f"{format_amount(effect.amount_minor, currency)} {currency}"
        + (f" less {format_amount(effect.fee_minor, currency)}" if effect.fee_minor else "")
        for currency, effect in effects(movements).items()
    ]
    return " and ".join(amounts) or "nothing"


@dataclass(frozen=True, slots=True)
class Correction:
    """What has to be booked in one currency so that a key agrees; signed as the provider's balance moves."""

    currency: str
    amount_minor: int
    fee_minor: int


def corrections(compared: Compared) -> tuple[Correction, ...]:
    """Return what makes the books agree with the provider, at most one correction a currency."""
    ours, theirs, none = compared.ours, compared.theirs, Effect(0, 0)
    found = []
    for currency in sorted({*ours, *theirs}):
        here, there = ours.get(currency, none), theirs.get(currency, none)
        if here != there:
            found.append(Correction(currency, there.amount_minor - here.amount_minor, there.fee_minor - here.fee_minor))
    return tuple(found)


def postings(provider: str, correction: Correction) -> list[tuple[Account, Account, int]]:
    """Return what a correction moves: source, destination, minor units. Fees go where fees of the provider go."""
    currency, amount, fee = correction.currency, correction.amount_minor, correction.fee_minor
    clearing = accounts.provider_clearing(provider, currency)
    other = accounts.platform("corrections", currency)
    fees = accounts.platform(f"fees/{provider}", currency)
    moved = [(clearing, other, amount) if amount > 0 else (other, clearing, -amount)]
    moved.append((fees, clearing, fee) if fee > 0 else (clearing, fees, -fee))
    return [posting for posting in moved if posting[2]]


@dataclass(slots=True)
class Line:
    """One line of a report: what happened of one kind in one currency, on both sides. Minor units.

    `by_match_status` counts keys; a key that is kept in different currencies counts in the provider's.
    """

    by_match_status: dict[MatchStatus, int] = field(default_factory=dict)
    our_amount_minor: int = 0
    our_fee_minor: int = 0
    their_amount_minor: int = 0
    their_fee_minor: int = 0

    @property
    def our_net_minor(self) -> int:
        """What our books say that the balance rose by."""
        return self.our_amount_minor - self.our_fee_minor

    @property
    def their_net_minor(self) -> int:
        """What the provider says that the balance rose by."""
        return self.their_amount_minor - self.their_fee_minor


@dataclass(slots=True)
class Report:
    """What a run found: lines by currency and kind. It grows key by key and holds none of them."""

    lines: dict[tuple[str, str], Line] = field(default_factory=dict)

    def add(self, compared: Compared) -> None:
        """Count one key."""
        kind = compared.one.kind.value
        counted = self._line(compared.one.currency, kind)
        counted.by_match_status[compared.match_status] = counted.by_match_status.get(compared.match_status, 0) + 1
        for currency, effect in compared.ours.items():
            line = self._line(currency, kind)
            line.our_amount_minor += effect.amount_minor
            line.our_fee_minor += effect.fee_minor
        for currency, effect in compared.theirs.items():
            line = self._line(currency, kind)
            line.their_amount_minor += effect.amount_minor
            line.their_fee_minor += effect.fee_minor

    def count(self, *statuses: MatchStatus) -> int:
        """Count the keys of these match statuses."""
        return sum(
            line.by_match_status.get(match_status, 0) for line in self.lines.values() for match_status in statuses
        )

    def _line(self, currency: str, kind: str) -> Line:
        return self.lines.setdefault((currency, kind), Line())


@dataclass(frozen=True, slots=True)
class Window:
    """The compared period: what happened in `[since, until)` on either side."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment lies within."""
        return self.since <= moment < self.until

    def listed(self, now: datetime) -> "Window":
        """Return the period requested from the provider: longer on both sides, without the future."""
        return Window(self.since - MARGIN, max(self.until, min(self.until + MARGIN, now)))


def listed_until(provider: str, window: Window, now: datetime) -> datetime:
    """Return until when the provider's statement is complete, once it was read for a window."""
    return min(window.listed(now).until, now - STATEMENT_DELAY.get(provider, timedelta(0)))


def covered_until(begin: datetime, windows: Iterable[Window]) -> datetime:
    """Return until when windows cover everything from a moment on; the moment itself when none covers it."""
    end = begin
    for window in sorted(windows, key=lambda each: each.since):
        if window.since > end:
            break
        end = max(end, window.until)
    return end


def nightly_window(now: datetime, begin: datetime | None = None, done: Iterable[Window] = ()) -> Window:
    """Return what the nightly run compares: up to the last midnight, from the first gap less an overlap.

    Args:
        now: business time, aware.
        begin: where the earliest run began that anybody asked for, whether or not it was done; None for the first run.
        done: the windows that were compared.
    """
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - timedelta(days=1) - OVERLAP
    if begin is not None:
        since = min(since, max(begin, covered_until(begin, done) - OVERLAP))
    return Window(max(since, until - FARTHEST_BACK), until)
