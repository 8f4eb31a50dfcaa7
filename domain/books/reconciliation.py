"""Compares the provider's statement with our books, movement by movement, and finds corrections.

Movements are matched by their key, never by amount or time. For each key and currency, the amounts and fees of both
sides are compared. An unknown fee counts as zero, because nothing is booked for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.money import format_amount
from domain.payments.payment.snapshot import BalanceTransaction

#: How late movements appear on a provider's statement; younger ones are not missing yet. PayPal's reference of
#: Transaction Search says three hours, others list at once.
STATEMENT_DELAY: Mapping[str, timedelta] = {"paypal": timedelta(hours=4)}
#: How far beyond the window the statement is read, to find movements that both sides date differently.
MARGIN = timedelta(hours=2)
#: How much of the previous window is compared again, to find movements that were booked, listed or disputed late.
OVERLAP = timedelta(days=1)
#: The longest window of one run.
MAX_WINDOW = timedelta(days=93)
#: How far back the nightly run reaches when no run was done for a while.
MAX_LOOKBACK = timedelta(days=31)


class MatchStatus(StrEnum):
    """The result of comparing one key."""

    MATCHED = "matched"
    MISSING_HERE = "missing_here"  # the provider lists it, it is not booked
    MISSING_THERE = "missing_there"  # it is booked, the provider does not list it
    AMOUNT_DIFFERS = "amount_differs"  # amount, fee or currency
    FEE_MISSING = "fee_missing"  # booked before the provider told its fee, which it does by now
    NOT_LISTED_YET = "not_listed_yet"  # booked, and too young to be in the provider's statement


class Action(StrEnum):
    """`book` posts the correction that makes the books agree with the provider; `accept` posts nothing."""

    BOOK = "book"
    ACCEPT = "accept"


#: The statuses that are discrepancies and raise alerts.
DISCREPANCIES = frozenset(
    {MatchStatus.MISSING_HERE, MatchStatus.MISSING_THERE, MatchStatus.AMOUNT_DIFFERS, MatchStatus.FEE_MISSING}
)
#: The discrepancies that can be corrected. A missing fee is booked by its payment's next refresh.
BOOKABLE = DISCREPANCIES - {MatchStatus.FEE_MISSING}


@dataclass(frozen=True, slots=True)
class BalanceEffect:
    """The effect of movements on a balance in one currency: the amount before fees, and the fees."""

    amount_minor: int
    fee_minor: int


def effects(movements: Iterable[BalanceTransaction]) -> dict[str, BalanceEffect]:
    """Sum movements by currency, without currencies whose sums are zero."""
    found: dict[str, BalanceEffect] = {}
    for movement in movements:
        before = found.get(movement.currency, BalanceEffect(0, 0))
        fee = movement.fee_minor or 0
        found[movement.currency] = BalanceEffect(before.amount_minor + movement.amount_minor, before.fee_minor + fee)
    return {currency: effect for currency, effect in found.items() if effect != BalanceEffect(0, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The books and the provider's statement compared for one key.

    Attributes:
        booked: the booked movement of the key, and its corrections.
        listed: the line of the provider's statement; None if there is none.
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
        """Our payment, if either side has its id."""
        known = (movement.payment_id for movement in (*self.booked, *self._listed()))
        return next((payment_id for payment_id in known if payment_id), None)

    @property
    def ours(self) -> dict[str, BalanceEffect]:
        return effects(self.booked)

    @property
    def listed_effects(self) -> dict[str, BalanceEffect]:
        return effects(self._listed())

    def _listed(self) -> tuple[BalanceTransaction, ...]:
        return () if self.listed is None else (self.listed,)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """The state of a key before its line is read; only one line of a statement belongs to the key.

    Attributes:
        line: the provider's id of the line in an earlier discrepancy of the key.
        others: the ids of further lines with the key, which were given keys of their own.
        booked: the booked movement of the key first, then its corrections.
    """

    line: str | None = None
    others: frozenset[str] = frozenset()
    booked: tuple[BalanceTransaction, ...] = ()

    def is_another(self, listed: BalanceTransaction) -> bool:
        """Return whether a line listed under the key is not the key's own line.

        A line that was once found to be another one stays so, even if the key's own line is not listed with it. Without
        an earlier discrepancy, a line is another one if its amount differs and its time is too far from the booked one
        for one window to contain both.
        """
        if listed.statement_ref is None:
            return False
        if self.line is not None or listed.statement_ref in self.others:
            return listed.statement_ref != self.line
        return len(self.booked) == 1 and self._is_far(listed, self.booked[0])

    def order(self, listed: BalanceTransaction) -> tuple[bool, datetime, str]:
        """Return the sort key of lines with the same key; the first one is the key's own."""
        differs = bool(self.booked) and effects(self.booked) != effects((listed,))
        return differs, listed.occurred_at, listed.statement_ref or ""

    @staticmethod
    def _is_far(listed: BalanceTransaction, booked: BalanceTransaction) -> bool:
        differs = listed.currency == booked.currency and listed.amount_minor != booked.amount_minor
        return differs and abs(listed.occurred_at - booked.occurred_at) > MARGIN


def compare(
    key: str, booked: Sequence[BalanceTransaction], listed: BalanceTransaction | None, *, listed_until: datetime
) -> Comparison:
    """Compare the booked movements of a key with the provider's line; at least one of them exists.

    Args:
        key: of the movement.
        booked: the movement as it was booked, then its corrections.
        listed: the provider's line.
        listed_until: the time up to which the provider's statement is complete.
    """
    match_status = _match_status(booked, listed, listed_until)
    return Comparison(key=key, booked=tuple(booked), listed=listed, match_status=match_status)


def _match_status(
    booked: Sequence[BalanceTransaction], listed: BalanceTransaction | None, listed_until: datetime
) -> MatchStatus:
    ours, listed_effects = effects(booked), effects(() if listed is None else (listed,))
    if ours == listed_effects:
        return MatchStatus.MATCHED
    if listed is None:
        late = booked[0].occurred_at >= listed_until
        return MatchStatus.NOT_LISTED_YET if late else MatchStatus.MISSING_THERE
    if not booked:
        return MatchStatus.MISSING_HERE
    same_amount = {currency: effect.amount_minor for currency, effect in ours.items()} == {
        currency: effect.amount_minor for currency, effect in listed_effects.items()
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


def describe(provider: str, compared: Comparison) -> str:
    """Return one sentence about the discrepancy, with the ids to search for."""
    one, sides = compared.one, (compared.listed,) if compared.listed else compared.booked
    text = _STORIES[compared.match_status].format(
        provider=provider, what=f"{one.kind.value} {compared.key} of {_written(sides)}", ours=_written(compared.booked)
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
    """The correction of a key in one currency; signed like movements of the provider's balance."""

    currency: str
    amount_minor: int
    fee_minor: int


def corrections(compared: Comparison) -> tuple[Correction, ...]:
    """Return the corrections that make the books agree with the provider, at most one for each currency."""
    ours, listed_effects, none = compared.ours, compared.listed_effects, BalanceEffect(0, 0)
    found = []
    for currency in sorted({*ours, *listed_effects}):
        here, there = ours.get(currency, none), listed_effects.get(currency, none)
        if here != there:
            found.append(Correction(currency, there.amount_minor - here.amount_minor, there.fee_minor - here.fee_minor))
    return tuple(found)


def postings(provider: str, correction: Correction) -> list[tuple[Account, Account, int]]:
    """Return the postings of a correction: source, destination, minor units. Fees are the provider's fees."""
    currency, amount, fee = correction.currency, correction.amount_minor, correction.fee_minor
    clearing = accounts.provider_clearing(provider, currency)
    other = accounts.platform("corrections", currency)
    fees = accounts.platform(f"fees/{provider}", currency)
    moved = [(clearing, other, amount) if amount > 0 else (other, clearing, -amount)]
    moved.append((fees, clearing, fee) if fee > 0 else (clearing, fees, -fee))
    return [posting for posting in moved if posting[2]]


@dataclass(slots=True)
class ReportLine:
    """A line of a report: the movements of one kind in one currency, on both sides, in minor units.

    `by_match_status` counts keys; a key with different currencies on both sides counts in the provider's.
    """

    by_match_status: dict[MatchStatus, int] = field(default_factory=dict)
    our_amount_minor: int = 0
    our_fee_minor: int = 0
    their_amount_minor: int = 0
    their_fee_minor: int = 0

    @property
    def our_net_minor(self) -> int:
        """The change of the balance according to our books."""
        return self.our_amount_minor - self.our_fee_minor

    @property
    def their_net_minor(self) -> int:
        """The change of the balance according to the provider."""
        return self.their_amount_minor - self.their_fee_minor


@dataclass(slots=True)
class ReconciliationReport:
    """The result of a run: lines by currency and kind. Keys are added one by one and not stored."""

    lines: dict[tuple[str, str], ReportLine] = field(default_factory=dict)

    def add(self, compared: Comparison) -> None:
        """Count one key."""
        kind = compared.one.kind.value
        counted = self._line(compared.one.currency, kind)
        counted.by_match_status[compared.match_status] = counted.by_match_status.get(compared.match_status, 0) + 1
        for currency, effect in compared.ours.items():
            line = self._line(currency, kind)
            line.our_amount_minor += effect.amount_minor
            line.our_fee_minor += effect.fee_minor
        for currency, effect in compared.listed_effects.items():
            line = self._line(currency, kind)
            line.their_amount_minor += effect.amount_minor
            line.their_fee_minor += effect.fee_minor

    def count(self, *statuses: MatchStatus) -> int:
        """Count the keys of these match statuses."""
        return sum(
            line.by_match_status.get(match_status, 0) for line in self.lines.values() for match_status in statuses
        )

    def _line(self, currency: str, kind: str) -> ReportLine:
        return self.lines.setdefault((currency, kind), ReportLine())


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
    """Return the time up to which windows cover everything from a given time on; that time if none does."""
    end = begin
    for window in sorted(windows, key=lambda each: each.since):
        if window.since > end:
            break
        end = max(end, window.until)
    return end


def nightly_window(now: datetime, begin: datetime | None = None, done: Iterable[Window] = ()) -> Window:
    """Return the window of the nightly run: up to the last midnight, from the first gap less an overlap.

    Args:
        now: the time, aware.
        begin: the beginning of the earliest requested run, done or not; None for the first run.
        done: the compared windows.
    """
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - timedelta(days=1) - OVERLAP
    if begin is not None:
        since = min(since, max(begin, covered_until(begin, done) - OVERLAP))
    return Window(max(since, until - MAX_LOOKBACK), until)
