"""The paid amount of an invoice stays between zero and its total, through payments, refunds and chargebacks."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings, strategies as st

from domain.billing.invoice import wording
from domain.billing.invoice.lines import MAX_LINES, MAX_QUANTITY, InvoiceLine, check_lines, total_of
from domain.billing.invoice.series import DocumentType, number_text, series_of
from domain.billing.invoice.state import (
    InvoiceBalance,
    InvoiceStatus,
    is_overdue,
    recoverable_minor,
    require_collectible,
    require_draft,
    require_payable,
    require_voidable,
    with_payment,
    with_recovery,
)
from domain.common.errors import Invalid, WrongInvoiceState
from domain.common.mail import LANGUAGES
from domain.common.money import MAX_AMOUNT_MINOR
from domain.payments.payment import invoicing, refunds
from domain.payments.payment.booking import (
    AccountMovement,
    debt,
    entitlement_account,
    paid_on_invoice,
    receivable,
    taken_from_invoice,
    wallet,
)
from domain.payments.payment.converge import refund_failed
from domain.payments.payment.entitlement import clawed_back_minor, remaining_minor
from domain.payments.payment.fulfilment import fulfilment_due, is_underpaid, readiness
from domain.payments.payment.purposes.base import Readiness
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.snapshot import BalanceTransactionKind
from domain.payments.payment.state import (
    Fulfilment,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    Refund,
    with_number,
)
from domain.payments.payment.terms import Purpose, PurposeKind
from providers.payments.base import ProviderRefused
from tests.lanes import examples
from tests.support.cases import for_each
from tests.support.payment_world import STEPS, Books, World
from tests.support.payments import EPOCH, TERMS

OPEN, PAID, VOID, *_ = InvoiceStatus
TOTAL = 800


def standing(paid: int = 0, own: int = 0, status: InvoiceStatus = OPEN) -> InvoiceBalance:
    return InvoiceBalance(status=status, total_minor=TOTAL, paid_minor=paid, of_payment_minor=own)


def line(quantity: int = 1, unit_minor: int = 100) -> InvoiceLine:
    return InvoiceLine(description="Support", quantity=quantity, unit_minor=unit_minor)


def test_pitfall_16_lines_add_up_to_the_total():
    lines = [line(3, 333), line(1, 1)]
    assert [each.amount_minor for each in lines] == [999, 1]
    assert total_of(lines, "USD") == 1000


@for_each(
    "lines, currency, field",
    [
        ([], "USD", "lines"),
        ([line()] * (MAX_LINES + 1), "USD", "lines"),
        ([line(0)], "USD", "lines"),
        ([line(MAX_QUANTITY + 1)], "USD", "lines"),
        ([line(1, 0)], "USD", "lines"),
        ([line(), line(1, -50)], "USD", "lines"),
        ([line(1, MAX_AMOUNT_MINOR), line()], "USD", "lines"),
        ([line()], "CREDIT", "currency"),
        ([line()], "SLOT", "currency"),
        ([line()], "DOGE", "currency"),
    ],
)
def test_what_is_no_invoice_is_refused(lines, currency, field):
    with pytest.raises(Invalid) as refusal:
        total_of(lines, currency)
    assert refusal.value.extra["field"] == field


def test_the_largest_invoice_is_one():
    assert total_of([line(1, MAX_AMOUNT_MINOR)], "BTC") == MAX_AMOUNT_MINOR
    assert total_of([line(MAX_QUANTITY)] * MAX_LINES, "USD") == 100 * MAX_QUANTITY * MAX_LINES


def test_reopened_partly_given_up_invoice_is_due_for_the_refunded_part_only():
    given_up = InvoiceBalance(
        status=InvoiceStatus.UNCOLLECTIBLE, total_minor=TOTAL, paid_minor=300, of_payment_minor=300, settled_minor=500
    )
    assert (given_up.due_minor, with_payment(given_up, 0)) == (0, given_up)
    reopened = with_payment(given_up, -100)
    assert (reopened.status, reopened.due_minor) == (OPEN, 100)


@given(
    paid=st.integers(0, TOTAL), used=st.integers(0, TOTAL), disputed=st.integers(0, TOTAL), came=st.integers(0, TOTAL)
)
def test_money_after_a_write_off_pays_the_missing_price_of_used_credits(paid, used, disputed, came):
    disputed = min(disputed, paid)
    lost = TOTAL - paid
    given_up = InvoiceBalance(
        status=InvoiceStatus.UNCOLLECTIBLE if lost else PAID,
        total_minor=TOTAL,
        paid_minor=paid,
        of_payment_minor=paid,
        settled_minor=lost,
        written_off_minor=lost,
    )
    disputed_anew = with_payment(given_up, -disputed)
    part = min(came, recoverable_minor(disputed_anew, used))
    after = with_recovery(disputed_anew, part)
    assert after.due_minor == disputed
    assert after.paid_minor + after.written_off_minor == TOTAL - disputed
    # What is due and what is paid come first, and nothing beyond what was used is kept.
    assert part == min(came, lost, max(0, used - paid))
    if part:
        with pytest.raises(ValueError, match="cannot be recovered"):
            with_recovery(after, after.written_off_minor + 1)
    assert (after.status is InvoiceStatus.PAID) == (not disputed and not after.written_off_minor)


def test_only_drafts_are_edited_and_only_due_invoices_are_given_up():
    require_draft(standing(status=InvoiceStatus.DRAFT), "USD")
    with pytest.raises(WrongInvoiceState) as refusal:
        require_draft(standing(300), "USD")
    assert refusal.value.extra["due"] == "5.00"
    assert require_collectible(standing(300)) == 500
    with pytest.raises(WrongInvoiceState):
        require_collectible(standing(TOTAL, status=PAID))


@pytest.mark.parametrize(
    "changes",
    [
        {"fixed_minor": -1},
        {"discount_minor": 101},
        {"discount_minor": -1},
        {"period_start": EPOCH},
        {"period_start": EPOCH, "period_end": EPOCH},
    ],
)
def test_lines_that_make_no_sense_are_refused(changes):
    with pytest.raises(Invalid):
        check_lines([replace(line(), **changes)], "USD")


def test_series_of_two_entities_and_documents_never_share_a_number():
    names = [series_of(document, entity) for document in DocumentType for entity in (None, "ACME")]
    assert [number_text(42, name) for name in names] == [
        *("INV-000042", "ACME-INV-000042", "CRN-000042", "ACME-CRN-000042"),
        *("RCP-000042", "ACME-RCP-000042", "RCN-000042", "ACME-RCN-000042"),
        *("STM-000042", "ACME-STM-000042", "STC-000042", "ACME-STC-000042"),
    ]
    for wrong in ("acme", "A", "INV", "A-B"):
        with pytest.raises(Invalid):
            series_of(DocumentType.INVOICE, wrong)


def test_numbers_are_written_as_people_read_them():
    assert [number_text(n) for n in (1, 42, 999_999, 1_000_000)] == [
        *("INV-000001", "INV-000042", "INV-999999", "INV-1000000"),
    ]


def test_only_open_invoices_are_paid_and_only_unpaid_ones_are_voided():
    assert require_payable(standing(300)) == 500
    require_voidable(standing(), "USD")
    for other in (standing(TOTAL, status=PAID), standing(status=VOID)):
        with pytest.raises(WrongInvoiceState) as refusal:
            require_payable(other)
        assert refusal.value.extra["state"] == other.status
        with pytest.raises(WrongInvoiceState):
            require_voidable(other, "USD")
    with pytest.raises(WrongInvoiceState, match="partially paid"):
        require_voidable(standing(1), "USD")


def test_invoice_is_overdue_from_its_due_date_until_paid():
    due_at = EPOCH + timedelta(days=30)
    assert not is_overdue(standing(), due_at=due_at, now=due_at - timedelta(microseconds=1))
    assert is_overdue(standing(), due_at=due_at, now=due_at)
    assert is_overdue(standing(799), due_at=due_at, now=due_at)
    assert not is_overdue(standing(TOTAL, status=PAID), due_at=due_at, now=due_at)
    assert not is_overdue(standing(status=VOID), due_at=due_at, now=due_at)


def test_void_invoice_stays_void_without_payments():
    assert with_payment(standing(status=VOID), 0).status is VOID
    with pytest.raises(ValueError, match="cannot be paid"):
        with_payment(standing(status=VOID), 1)


@given(st.lists(st.integers(-TOTAL - 1, TOTAL + 1), max_size=30))
def test_paid_amount_stays_between_zero_and_the_total(changes):
    now, others = standing(), 0
    for number, by in enumerate(changes):
        before = now
        try:
            now = with_payment(now, by)
        except ValueError:
            assert before.of_payment_minor + by < 0 or by > before.due_minor
        if number % 5 == 4:  # from here on another payment pays
            others = now.paid_minor
            now = replace(now, of_payment_minor=0)
        assert 0 <= now.paid_minor <= TOTAL
        assert now.paid_minor == others + now.of_payment_minor
        assert now.status is (PAID if now.paid_minor == TOTAL else OPEN)
        assert now.due_minor == TOTAL - now.paid_minor


# A payment of an invoice, with all that a provider can do ------------------------------------------------------------

INVOICE = Purpose(
    kind=PurposeKind.INVOICE, goods_asset="USD", goods_minor=1000, invoice_id="inv_01h455vb4pex5vsknk084sn02q"
)


class InvoicedBooks(Books):
    """Shares moves out as the activity does."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = standing()

    def movements(self, payment: Payment, move: PaymentPosting) -> list[AccountMovement]:
        if move.kind not in invoicing.INVOICE_POSTING_KINDS:
            return super().movements(payment, move)
        there = self.of(wallet(payment.terms))
        split = invoicing.split_posting(payment, move, self.standing, available_minor=there)
        assert min(split.waiting_minor, split.invoice_minor, split.other_minor) >= 0
        assert split.waiting_minor + split.invoice_minor + split.other_minor == move.amount_minor
        pays = move.kind is PaymentPostingKind.RELEASE
        self.standing = with_payment(self.standing, split.invoice_minor if pays else -split.invoice_minor)
        of_invoice = (paid_on_invoice if pays else taken_from_invoice)(payment.terms, split.invoice_minor)
        rest = replace(move, amount_minor=split.other_minor)
        return of_invoice + (super().movements(payment, rest) if split.other_minor else [])

    def afford(self, outcome: Outcome) -> bool:
        there, needed = self.of(wallet(outcome.payment.terms)), 0
        for move in outcome.moves:
            split = invoicing.split_posting(outcome.payment, move, self.standing, available_minor=there)
            needed += split.other_minor
        return needed <= there


class Invoiced(World):
    """A payment of an invoice that others pay, take back and withdraw meanwhile."""

    books: InvoicedBooks

    def __init__(self, *, refundable: bool = True) -> None:
        super().__init__(replace(TERMS, purpose=INVOICE, refundable=refundable))
        self.books = InvoicedBooks()
        self.others = 0

    def act(self, name: str, number: int) -> None:
        match name:
            case "serve":
                self.serve()
            case "time over":
                self.serve(over=True)
            case "others pay":
                self.others_pay(min(number, self.books.standing.due_minor))
            case "others take back":
                self.others_pay(-min(number, self.others))
            case "withdraw" if self.books.standing.status is OPEN and not self.books.standing.paid_minor:
                self.books.standing = replace(self.books.standing, status=VOID)
            case "capture":
                self.account.pay(amount=min(number, 1000))
            case "withdraw":
                pass
            case _:
                self.step(name, number)
        self.judge()

    def others_pay(self, amount: int) -> None:
        own, self.others = self.books.standing.of_payment_minor, self.others + amount
        changed_by_them = with_payment(replace(self.books.standing, of_payment_minor=self.others - amount), amount)
        self.books.standing = replace(changed_by_them, of_payment_minor=own)

    def serve(self, *, over: bool = False) -> None:
        """Hand the money over as the run does, and send it back where the invoice does not take it."""
        if not (fulfilment_due(self.payment) or (over and is_underpaid(self.payment))):
            return
        if readiness(self.payment) is Readiness.FAILED:
            self.take(refunds.fulfilment_failed(self.payment, refund_id="rfd_gone", at=EPOCH))
            return
        paying = invoice_paid(self.payment, at=EPOCH)
        try:
            if paying.moves:
                require_payable(self.books.standing)
            self.take(paying)
        except WrongInvoiceState:
            self.take(refunds.fulfilment_unavailable(self.payment, why="paid", refund_id="rfd_gone", at=EPOCH))
            for refund in self.payment.refunds:
                if refund.refund_id == "rfd_gone":
                    self.send_back(refund)

    def send_back(self, refund: Refund) -> None:
        try:
            self.account.refund(refund.amount_minor, refund_id=refund.refund_id)
        except ProviderRefused:
            self.take(with_number(refund_failed(self.payment, refund, "refused"), EPOCH))

    def judge(self) -> None:
        now, payment = self.books.standing, self.payment
        assert now.paid_minor == self.others + now.of_payment_minor
        assert 0 <= now.of_payment_minor <= max(0, payment.granted_minor - clawed_back_minor(payment))
        assert now.status is VOID or now.status is (PAID if now.paid_minor == TOTAL else OPEN)
        # What the payment has paid of the invoice, and nothing else, is what it moved to the receivable.
        assert self.books.of(receivable(self.terms)) == now.of_payment_minor

    def settle(self) -> None:
        """Record every event, and check that all money is in exactly one place."""
        for _ in range(3):
            self.look()
            self.serve(over=True)
        self.judge()
        books, terms = self.books, self.terms
        waiting = remaining_minor(self.payment) if self.payment.fulfilment is Fulfilment.PENDING else 0
        assert books.of(entitlement_account(terms)) == waiting
        owned = self.spent + books.of(wallet(terms)) + books.of(debt(terms)) + books.standing.of_payment_minor
        assert owned + waiting == sum(m.paid_minor for m in self.account.movements)
        clearing = books.balances.get((f"provider/{terms.provider}/clearing", terms.currency), 0)
        assert -clearing == self.account.balances.get("USD", 0)


ACTS = st.one_of(
    st.tuples(
        st.sampled_from(["serve", "time over", "others pay", "others take back", "withdraw", "capture"]),
        st.integers(1, 1200),
    ),
    STEPS.filter(bool).map(lambda steps: steps[0]),
)


@settings(max_examples=examples(300))
@given(st.lists(ACTS, max_size=25))
@example([("pay", 1), ("refund_there", 1000), ("look", 1), ("serve", 1)])
@example([("pay", 1), ("look", 1), ("serve", 1), ("refund_here_pending", 400), ("dispute_beyond", 1000), ("look", 1)])
def test_random_histories_leave_every_cent_in_one_place(acts):
    world = Invoiced()
    for name, number in acts:
        world.act(name, number)
    world.settle()


def paid_world(amount: int = 1000) -> Invoiced:
    world = Invoiced()
    world.account.pay(amount=amount)
    world.look()
    world.serve()
    return world


def money(world: Invoiced) -> tuple[int, ...]:
    """Return the paid amount, and the amounts in the wallet, on the payment's account, and owed."""
    accounts = (wallet, entitlement_account, debt)
    return (world.books.standing.paid_minor, *(world.books.of(account(world.terms)) for account in accounts))


def test_overpayment_becomes_cash_and_is_refunded_first():
    world = paid_world()
    assert money(world) == (800, 200, 0, 0)
    world.refund(150, pending=False)
    world.look()
    assert money(world) == (800, 50, 0, 0)
    world.refund(850, pending=False)
    world.look()
    assert money(world) == (0, 0, 0, 0)


def test_refund_of_a_spent_overpayment_is_deducted_from_the_invoice():
    world = paid_world()
    world.spend(1000)
    assert money(world) == (800, 0, 0, 0)
    world.refund(900, pending=False)
    assert world.payment.refunds == ()  # 100 of it are not there
    world.refund(800, pending=False)
    world.look()
    assert money(world) == (0, 0, 0, 0)


def test_money_refunded_before_fulfilment_pays_nothing_and_is_no_debt():
    world = Invoiced()
    world.account.pay()
    world.account.refund(700)
    world.look()
    assert money(world) == (0, 0, 300, 0)
    world.serve()
    assert money(world) == (300, 0, 0, 0)
    assert world.books.standing.status is OPEN


def test_double_chargeback_is_a_debt_paid_before_the_invoice():
    world = Invoiced()
    world.account.pay(amount=800)
    world.look()
    world.serve()
    world.refund(400, pending=True)
    world.account.dispute(800, beyond=True)
    world.look()
    assert money(world) == (0, 0, 0, -400)
    (refund,) = world.account.refunds
    world.account.fail_refund(refund)
    world.look()
    assert money(world) == (0, 0, 0, 0)
    world.account.close_dispute(next(iter(world.account.disputes)), won=True)
    world.look()
    assert money(world) == (800, 0, 0, 0)


def test_won_dispute_pays_again_or_becomes_cash_if_the_invoice_is_paid():
    for others, expected in ((0, (800, 0, 0, 0)), (800, (800, 800, 0, 0))):
        world = paid_world(800)
        ref = world.account.dispute()
        world.look()
        assert world.books.standing.due_minor == 800
        world.others_pay(others)
        world.account.close_dispute(ref, won=True)
        world.look()
        assert money(world) == expected


def test_money_for_a_void_invoice_is_returned_in_full_or_in_part():
    for amount in (1000, 600):
        world = Invoiced()
        world.books.standing = standing(status=VOID)
        world.account.pay(amount=amount)
        world.look()
        world.serve()
        assert world.payment.fulfilment is Fulfilment.GONE
        assert world.account.gone == amount
        world.look()
        assert money(world) == (0, 0, 0, 0)
        assert world.books.standing.status is VOID


def test_early_part_is_returned_too_if_the_invoice_was_voided():
    world = Invoiced()
    world.books.standing = standing(status=VOID)
    world.account._move("ch_1", BalanceTransactionKind.CHARGE, 600)
    world.look()
    world.serve()
    assert money(world) == (0, 0, 600, 0)  # the rest may still come
    world.serve(over=True)
    world.look()
    assert world.account.gone == 600
    assert money(world) == (0, 0, 0, 0)


def test_coins_for_a_void_invoice_become_cash_and_leave_it_void():
    world = Invoiced(refundable=False)
    world.books.standing = standing(status=VOID)
    world.account.pay()
    world.look()
    world.serve()
    assert money(world) == (0, 1000, 0, 0)
    assert world.books.standing.status is VOID


def test_every_phrase_has_its_values_in_every_language() -> None:
    for name, words in wording._PHRASES.items():
        assert set(words) == set(LANGUAGES), name
        assert len({tuple(sorted(re.findall(r"{\d}", text))) for text in words.values()}) == 1, name
