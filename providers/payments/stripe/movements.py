"""Stripe's balance transactions, with the same keys in snapshots and in the statement.

The id of a balance transaction is unknown to the payment before it exists, so the key is made of the object that moved
the money and the field in which it holds the transaction:

    charge.balance_transaction           ch_…              refund.balance_transaction           re_…
    charge.failure_balance_transaction   ch_…:reversal     refund.failure_balance_transaction   re_…:failure
    dispute.balance_transactions         the first that takes: dp_…; the first that returns: dp_…:reversal;
                                         any further one: dp_…:txn_…
    transfer.balance_transaction         tr_…              transfer_reversal.balance_transaction  trr_…
    issuing.transaction.balance_transaction  ipi_…         issuing.dispute.balance_transactions   idp_…:txn_…
    anything else                        txn_…

A hold on the issuing balance for an authorization is left out: the money is still the platform's, and a capture
releases the hold first.

Stripe may list a pending bank debit before it has succeeded. A charge counts once it has succeeded, here and in the
snapshot; the lines of one that failed before that cancel each other out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import stripe

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from providers.payments.stripe.amounts import from_stripe, from_stripe_balance
from providers.payments.stripe.fields import at, field, id_of, metadata_of

#: A field that holds an id or an expanded object.
Expandable = stripe.BalanceTransaction | str | None


@dataclass(frozen=True, slots=True)
class Role:
    """Meaning of a balance transaction to the object that holds it. `amount` is signed, in Stripe's minor unit."""

    key: str
    kind: BalanceTransactionKind
    ref: str | None
    payment_id: str | None
    amount: int
    currency: str


def charge_movements(charge: stripe.Charge) -> list[BalanceTransaction]:
    """List the balance transactions of a charge. A captured charge is always included, even if it settles later."""
    taken, returned = _charge_roles(charge)
    moved = [_movement(line, role) for line, role in zip(_charge_lines(charge), (taken, returned), strict=True)]
    if moved[0] is None and charge.status == "succeeded" and charge.captured:
        moved[0] = _unreported(taken, charge.created)
    return [movement for movement in moved if movement is not None]


def refund_movements(refund: stripe.Refund) -> list[BalanceTransaction]:
    """List the balance transactions of a refund; none while it is pending."""
    moved = [_movement(line, role) for line, role in zip(_refund_lines(refund), _refund_roles(refund), strict=True)]
    return [movement for movement in moved if movement is not None]


def disputed_part(dispute: stripe.Dispute, charge: stripe.Charge) -> int | None:
    """Return the disputed part of a charge, in the charge's currency and Stripe's minor unit.

    If the bank disputes in another currency, it is the share of the charge that the balance has lost. The two exchange
    rates differ, so a remainder of less than 1 % counts as none. None until the balance shows both.
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
    """List the balance transactions of a dispute, including its fees.

    With `charge`, the amounts of the payment are in the charge's currency; none until these are known.
    """
    amount = dispute.amount if charge is None else disputed_part(dispute, charge)
    if amount is None:
        return []
    currency = dispute.currency if charge is None else charge.currency
    return [_converted(line, role) for line, role in _dispute_roles(dispute, amount, currency)]


def transfer_movement(transfer: stripe.Transfer) -> BalanceTransaction | None:
    """Return the expanded balance transaction of a transfer to a creator's account."""
    return next((_movement(line, role) for line, role in _transfer_roles(transfer)), None)


def reversal_movement(reversal: stripe.TransferReversal) -> BalanceTransaction | None:
    """Return the expanded balance transaction of the reversal of a transfer."""
    return next((_movement(line, role) for line, role in _reversal_roles(reversal)), None)


def card_movement(transaction: stripe.issuing.Transaction) -> BalanceTransaction | None:
    """Return the expanded balance transaction of an issued card's transaction."""
    return next((_movement(line, role) for line, role in _card_roles(transaction)), None)


def card_dispute_movements(dispute: stripe.issuing.Dispute) -> list[BalanceTransaction]:
    """List the expanded balance transactions of a dispute with a merchant."""
    lines = sorted(field(dispute, "balance_transactions") or [], key=lambda line: (line.created, line.id))
    return [_converted(line, _card_dispute_role(dispute, line)) for line in lines]


def statement_movement(line: stripe.BalanceTransaction) -> BalanceTransaction | None:
    """Return a line of the statement, whose source has to be expanded, as a balance transaction.

    None for a charge that has not succeeded, and for holds for authorizations of issued cards. A refund refers to its
    charge: only that leads from an unknown refund or dispute to its payment.
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
    """Return the part of the disputed amount that each line moves, signed, in the currency of that amount.

    Lines have only amounts of the balance. The first line moved the whole amount, and others their share of it, each at
    its own rate. Rates are rounded, so a remainder of less than 1 % counts as none.
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
