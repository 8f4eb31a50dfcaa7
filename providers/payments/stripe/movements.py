"""Stripe's balance transactions as movements: one naming for a payment's snapshot and for the whole statement.

A balance transaction has no name of its own that the payment would know before it exists, so a movement is named after
the object that moved the money, by the place in which that object holds the transaction:

    charge.balance_transaction           ch_…              refund.balance_transaction           re_…
    charge.failure_balance_transaction   ch_…:reversal     refund.failure_balance_transaction   re_…:failure
    dispute.balance_transactions         the first that takes: dp_…; the first that returns: dp_…:reversal;
                                         any further one: dp_…:txn_…
    transfer.balance_transaction         tr_…              transfer_reversal.balance_transaction  trr_…
    issuing.transaction.balance_transaction  ipi_…         issuing.dispute.balance_transactions   idp_…:txn_…
    anything else                        txn_…

What the issuing balance holds for an authorization is no movement: the money is still the platform's, and a capture
releases the hold before it takes its own.

Stripe may book a bank debit as pending before it has arrived. Such money is nobody's yet: a charge counts once it has
succeeded, here and in the snapshot, and the lines of one that failed before it did cancel each other out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import stripe

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from providers.payments.stripe.amounts import from_stripe, from_stripe_balance
from providers.payments.stripe.fields import at, field, id_of, metadata_of

#: A field that holds an id, or the object when it was asked for.
Expandable = stripe.BalanceTransaction | str | None


@dataclass(frozen=True, slots=True)
class Role:
    """What a balance transaction means to the object that holds it. `amount` is signed, in Stripe's minor unit."""

    key: str
    kind: BalanceTransactionKind
    ref: str | None
    payment_id: str | None
    amount: int
    currency: str


def charge_movements(charge: stripe.Charge) -> list[BalanceTransaction]:
    """List what a charge did to the balance. A captured charge is always there, settled perhaps later."""
    taken, returned = _charge_roles(charge)
    moved = [_movement(line, role) for line, role in zip(_charge_lines(charge), (taken, returned), strict=True)]
    if moved[0] is None and charge.status == "succeeded" and charge.captured:
        moved[0] = _unreported(taken, charge.created)
    return [movement for movement in moved if movement is not None]


def refund_movements(refund: stripe.Refund) -> list[BalanceTransaction]:
    """List what a refund did to the balance: nothing while it is pending without a transaction."""
    moved = [_movement(line, role) for line, role in zip(_refund_lines(refund), _refund_roles(refund), strict=True)]
    return [movement for movement in moved if movement is not None]


def disputed_part(dispute: stripe.Dispute, charge: stripe.Charge) -> int | None:
    """Return what a dispute takes of its charge, in the currency of the charge and in Stripe's minor unit.

    A bank may dispute a charge in its own currency. Then it is the share of the charge that the balance has lost, at
    the two rates; they differ, so less than 1 % is no part. None as long as the balance does not show both.
    """
    if dispute.currency == charge.currency:
        return dispute.amount
    came, taken = field(charge, "balance_transaction"), [line for line in _lines(dispute) if line.amount < 0]
    whole = charge.amount_captured or charge.amount
    if not taken or not isinstance(came, stripe.BalanceTransaction) or came.currency != taken[0].currency:
        return None
    if came.currency == charge.currency:
        return min(whole, -taken[0].amount)
    part = round(whole * Fraction(-taken[0].amount, came.amount))
    return whole if (whole - part) * 100 <= whole else max(1, part)


def dispute_movements(dispute: stripe.Dispute, charge: stripe.Charge | None = None) -> list[BalanceTransaction]:
    """List what a dispute did to the balance, fees of the dispute included.

    With `charge`, what it did to the payment is in the currency of its charge; nothing until that is known.
    """
    amount = dispute.amount if charge is None else disputed_part(dispute, charge)
    if amount is None:
        return []
    currency = dispute.currency if charge is None else charge.currency
    return [_converted(line, role) for line, role in _dispute_roles(dispute, amount, currency)]


def transfer_movement(transfer: stripe.Transfer) -> BalanceTransaction | None:
    """Return what a transfer to a creator's account did to the balance, its balance transaction expanded."""
    return next((_movement(line, role) for line, role in _transfer_roles(transfer)), None)


def reversal_movement(reversal: stripe.TransferReversal) -> BalanceTransaction | None:
    """Return what the reversal of a transfer did to the balance, its balance transaction expanded."""
    return next((_movement(line, role) for line, role in _reversal_roles(reversal)), None)


def card_movement(transaction: stripe.issuing.Transaction) -> BalanceTransaction | None:
    """Return what a transaction of an issued card did to the balance, its balance transaction expanded."""
    return next((_movement(line, role) for line, role in _card_roles(transaction)), None)


def card_dispute_movements(dispute: stripe.issuing.Dispute) -> list[BalanceTransaction]:
    """List what a dispute with a merchant did to the balance, its balance transactions expanded."""
    lines = sorted(field(dispute, "balance_transactions") or [], key=lambda line: (line.created, line.id))
    return [_converted(line, _card_dispute_role(dispute, line)) for line in lines]


def statement_movement(line: stripe.BalanceTransaction) -> BalanceTransaction | None:
    """Name one line of the statement, whose source has to be expanded.

    None for a charge that has not succeeded, and for what is held for an authorization of an issued card.

    A refund refers to its charge: nothing else leads from a refund or dispute that we do not know to its payment.
    """
    if isinstance(line.source, stripe.Charge) and line.source.status != "succeeded":
        return None
    if isinstance(line.source, stripe.issuing.Authorization):
        return None
    if isinstance(line.source, stripe.issuing.Dispute):
        return _converted(line, _card_dispute_role(line.source, line))
    for transaction, role in _roles(line.source):
        if id_of(transaction) == line.id:
            return _converted(line, replace(role, ref=id_of(field(line.source, "charge")) or role.ref))
    source = line.source
    return _converted(
        line, Role(line.id, BalanceTransactionKind.OTHER, id_of(source), None, line.amount, line.currency)
    )


def _roles(source: object) -> Iterator[tuple[Expandable, Role]]:
    match source:
        case stripe.Charge():
            yield from zip(_charge_lines(source), _charge_roles(source), strict=True)
        case stripe.Refund():
            yield from zip(_refund_lines(source), _refund_roles(source), strict=True)
        case stripe.Dispute():
            yield from _dispute_roles(source, source.amount, source.currency)
        case stripe.Transfer():
            yield from _transfer_roles(source)
        case stripe.TransferReversal():
            yield from _reversal_roles(source)
        case stripe.issuing.Transaction():
            yield from _card_roles(source)


def _card_roles(transaction: stripe.issuing.Transaction) -> Iterator[tuple[Expandable, Role]]:
    refund = transaction.type == "refund"
    kind = BalanceTransactionKind.CARD_REFUND if refund else BalanceTransactionKind.CARD_CAPTURE
    role = Role(transaction.id, kind, transaction.id, None, transaction.amount, transaction.currency)
    yield transaction.balance_transaction, role


def _card_dispute_role(dispute: stripe.issuing.Dispute, line: stripe.BalanceTransaction) -> Role:
    key, kind = f"{dispute.id}:{line.id}", BalanceTransactionKind.CARD_DISPUTE
    return Role(key, kind, dispute.id, None, line.amount, line.currency)


def _transfer_roles(transfer: stripe.Transfer) -> Iterator[tuple[Expandable, Role]]:
    kind, amount = BalanceTransactionKind.PAYOUT, -transfer.amount
    yield transfer.balance_transaction, Role(transfer.id, kind, transfer.id, None, amount, transfer.currency)


def _reversal_roles(reversal: stripe.TransferReversal) -> Iterator[tuple[Expandable, Role]]:
    kind = BalanceTransactionKind.PAYOUT_REVERSAL
    role = Role(reversal.id, kind, id_of(reversal.transfer), None, reversal.amount, reversal.currency)
    yield reversal.balance_transaction, role


def _charge_lines(charge: stripe.Charge) -> tuple[Expandable, Expandable]:
    return field(charge, "balance_transaction"), field(charge, "failure_balance_transaction")


def _refund_lines(refund: stripe.Refund) -> tuple[Expandable, Expandable]:
    return field(refund, "balance_transaction"), field(refund, "failure_balance_transaction")


def _charge_roles(charge: stripe.Charge) -> tuple[Role, Role]:
    payment_id, ref = metadata_of(charge, "payment_id"), id_of(charge.payment_intent) or charge.id
    amount = charge.amount_captured or charge.amount
    return (
        Role(charge.id, BalanceTransactionKind.CHARGE, ref, payment_id, amount, charge.currency),
        Role(f"{charge.id}:reversal", BalanceTransactionKind.REVERSAL, ref, payment_id, -amount, charge.currency),
    )


def _refund_roles(refund: stripe.Refund) -> tuple[Role, Role]:
    payment_id = metadata_of(refund, "payment_id")
    return (
        Role(refund.id, BalanceTransactionKind.REFUND, refund.id, payment_id, -refund.amount, refund.currency),
        Role(
            f"{refund.id}:failure",
            BalanceTransactionKind.REFUND_FAILURE,
            refund.id,
            payment_id,
            refund.amount,
            refund.currency,
        ),
    )


def _lines(dispute: stripe.Dispute) -> list[stripe.BalanceTransaction]:
    # Money is taken before it is returned, also within one second of Stripe's clock.
    return sorted(dispute.balance_transactions, key=lambda line: (line.created, line.amount))


def _dispute_roles(
    dispute: stripe.Dispute, whole: int, currency: str
) -> Iterable[tuple[stripe.BalanceTransaction, Role]]:
    taken, named, lines = set(), [], _lines(dispute)
    for line, amount in zip(lines, _disputed(whole, lines), strict=True):
        back = line.amount > 0
        key = f"{dispute.id}:reversal" if back else dispute.id
        if key in taken:
            key = f"{dispute.id}:{line.id}"
        taken.add(key)
        kind = BalanceTransactionKind.DISPUTE_REVERSAL if back else BalanceTransactionKind.DISPUTE
        payment_id = metadata_of(dispute, "payment_id")
        named.append((line, Role(key, kind, dispute.id, payment_id, amount, currency)))
    return named


def _disputed(whole: int, lines: Sequence[stripe.BalanceTransaction]) -> Iterator[int]:
    """Return the part of the disputed amount that each line moves, in the currency of that amount, with its sign.

    A line has the amount of the balance alone. The first took the whole; what another moves is its share of that, each
    by its own rate. A rate is rounded, so the last 1 % is no part.
    """
    outside = 0
    for line in lines:
        part = _share(whole, lines[0], line)
        if line.amount > 0:
            rest = outside - part
            part = outside if abs(rest) * 100 <= whole or rest < 0 < outside else part
            outside = max(0, outside - part)
            yield part
        else:
            outside += part
            yield -part


def _share(amount: int, first: stripe.BalanceTransaction, line: stripe.BalanceTransaction) -> int:
    rates = [field(each, "exchange_rate") for each in (first, line)]
    if line is first or not all(rates) or not first.amount:
        return amount
    of_first, of_line = (Fraction(str(rate)) for rate in rates)
    share = round(amount * Fraction(abs(line.amount), abs(first.amount)) * of_first / of_line)
    return amount if abs(amount - share) * 100 <= amount else max(1, share)


def _movement(line: Expandable, role: Role) -> BalanceTransaction | None:
    return _converted(line, role) if isinstance(line, stripe.BalanceTransaction) else None


def _converted(line: stripe.BalanceTransaction, role: Role) -> BalanceTransaction:
    converted = line.currency != role.currency
    return BalanceTransaction(
        key=role.key,
        kind=role.kind,
        amount_minor=from_stripe_balance(line.amount, line.currency),
        fee_minor=from_stripe_balance(line.fee, line.currency),
        currency=line.currency.upper(),
        occurred_at=at(line.created),
        ref=role.ref,
        payment_id=role.payment_id,
        statement_ref=line.id,
        payment_amount_minor=from_stripe_balance(role.amount, role.currency) if converted else None,
        payment_currency=role.currency.upper() if converted else None,
    )


def _unreported(role: Role, created: int) -> BalanceTransaction:
    return BalanceTransaction(
        key=role.key,
        kind=role.kind,
        amount_minor=from_stripe(role.amount, role.currency),
        fee_minor=None,
        currency=role.currency.upper(),
        occurred_at=at(created),
        ref=role.ref,
        payment_id=role.payment_id,
        settled=False,
    )
