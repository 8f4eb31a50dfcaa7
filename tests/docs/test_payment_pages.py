"""The tables of docs/guides/payments.md and of the pages about providers and sandboxes say what the rules do."""

import ast
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from itertools import takewhile

import pytest
from temporalio.workflow import _Definition

from contracts.escrow.escrow import OperatorSignal
from contracts.payments import payment as messages
from dev.sandbox.chains.app import SERVICES
from dev.sandbox.paypal import control as paypal_control
from dev.sandbox.stripe import conditions, core, operations, schemas
from dev.sandbox.stripe.cards import CARDS
from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.sale import SaleTax
from domain.common import accounts
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.common.errors import DomainError
from domain.common.money import format_amount
from domain.payments.payment import booking, commands, invoicing
from domain.payments.payment.event_types import _TABLE, handling_of
from domain.payments.payment.state import AWAITING, Payment, PaymentPosting, PaymentPostingKind, PaymentStatus
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from providers.payments.paypal.amounts import SUPPORTED
from providers.payments.stripe.amounts import _MINIMUM, from_stripe
from services.payments.payment_alerts import ALERTED
from tests.docs.pages import ROOT, prose
from tests.support.cases import for_each
from workflows.payments.payment import PaymentWorkflow

DOCS = ROOT / "docs"
PAYMENTS = (DOCS / "guides" / "payments.md").read_text("utf-8")
SANDBOXES = (DOCS / "operate" / "sandboxes.md").read_text("utf-8")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
SIGNALS: dict[str, type[OperatorSignal]] = {
    "look": messages.PaymentSignal,
    "refund": messages.RefundSignal,
    "give_up": messages.GiveUpSignal,
    "cancel": messages.PaymentSignal,
}
#: Kinds of events that are made of a status.
MADE_OF_A_STATUS = {"refund_succeeded", "dispute_under_review"}


def table(page: str, first_cell: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose header begins with this cell."""
    lines = page.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    rows = takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|")] for row in rows]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def terms(*, credits: bool) -> PaymentTerms:
    goods = Purpose(
        kind=PurposeKind.CREDITS if credits else PurposeKind.BALANCE,
        goods_asset="CREDIT" if credits else "USD",
        goods_minor=10,
    )
    return PaymentTerms(
        payment_id="{payment}",
        org_id="{id}",
        provider="{name}",
        amount_minor=10,
        currency="USD",
        purpose=goods,
        description="",
        created_at=NOW,
        expires_at=NOW,
        tax=SaleTax(code="{code}", category=TaxCategory.STANDARD, rate_e6=250_000, amount_minor=2) if credits else None,
    )


def payment(status: PaymentStatus) -> Payment:
    nobody_knows = status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}
    return Payment(
        terms=terms(credits=True),
        status=status,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        ref=None if nobody_knows else "pi_1",
        authorized_minor=10,
    )


def test_every_state_is_explained_and_those_that_await_something_are_marked() -> None:
    written = {quoted(state)[0]: awaited == "yes" for state, _, awaited in table(PAYMENTS, "state")}
    assert written == {status.value: status in AWAITING for status in PaymentStatus}


@pytest.mark.parametrize("command", ["confirm", "cancel", "capture"])
def test_table_of_commands_is_the_one_of_the_rules(command: str) -> None:
    header = next(line for line in PAYMENTS.splitlines() if line.startswith("| command |"))
    states = [cell.strip() for cell in header.strip("|").split("|")][1:-1]
    row = next(row for row in table(PAYMENTS, "command") if row[0] == command)

    def is_taken(status: PaymentStatus) -> bool:
        try:
            if command == "capture":
                commands.check_capture(payment(status), None)
            elif command == "cancel":
                commands.check_cancel(payment(status))
            else:
                commands.check_open(payment(status), command)
        except DomainError:
            return False
        return True

    written = {state for state, cell in zip(states, row[1:-1], strict=True) if cell == "yes"}
    assert written == {status.value for status in PaymentStatus if is_taken(status)}


@pytest.mark.parametrize(
    ("start", "permission"),
    [("- **refund**: ", Permission.REFUND_PAYMENT), ("All other commands: ", Permission.PAY)],
)
def test_roles_that_may_give_a_command_are_those_of_the_permission_table(start: str, permission: Permission) -> None:
    rule = re.split(r"\.|All other", PAYMENTS.split(start, 1)[1])[0]
    allowed = {role.value for role in Role if permission in PERMISSIONS[role]}
    assert set(re.findall(r"`(\w+)`", rule)) == allowed
    assert allowed & {role.value for role in PLATFORM_ROLES} <= {"operator"}


def flow(of: PaymentTerms, kind: PaymentPostingKind) -> Sequence[booking.AccountMovement]:
    match kind:
        case PaymentPostingKind.CLAW_BACK:
            asset = of.purpose.goods_asset
            agents = [
                (accounts.agent_own_work("{agent}", asset, of.org_id), 2),
                *([(accounts.agent_granted_earnings("{agent}", of.org_id), 1)] if asset == "CREDIT" else []),
                (accounts.agent_earnings("{agent}", asset, of.org_id), 2),
            ]
            return booking.clawed_back(of, 10, 4, agents)
        case PaymentPostingKind.RELEASE:
            return booking.released(of, 10, 4)
        case _:
            asset = "CREDIT" if kind in {PaymentPostingKind.ISSUE, PaymentPostingKind.RETIRE} else of.currency
            return booking.account_movements(of, PaymentPosting(kind=kind, amount_minor=10, asset=asset), issues=True)


#: What is booked only where credits are bought.
OF_CREDITS = {PaymentPostingKind[name] for name in ("ISSUE", "RETIRE", "TAX", "TAX_BACK", "TOPUP_FEE")}


@for_each("kind", list(PaymentPostingKind))
def test_every_move_goes_between_the_accounts_that_are_written(kind: PaymentPostingKind) -> None:
    row = next(row for row in table(PAYMENTS, "move") if row[0] == kind.value)
    for cell, of in zip(row[1:], (terms(credits=True), terms(credits=False)), strict=True):
        if not cell:
            # What is kept of credits is in revenue already.
            assert kind in OF_CREDITS or (kind is PaymentPostingKind.KEEP and of.issues_entitlement)
            continue
        sources, _, destinations = cell.replace("{currency}", "USD").partition(" → ")
        asset = of.purpose.goods_asset
        written = [[path.replace("{asset}", asset) for path in quoted(side)] for side in (sources, destinations)]
        booked = flow(of, kind)
        assert written == [
            list(dict.fromkeys(source.path for source, _, _ in booked)),
            list(dict.fromkeys(destination.path for _, destination, _ in booked)),
        ]


@pytest.mark.parametrize("kind", sorted(invoicing.INVOICE_POSTING_KINDS))
def test_every_move_of_an_invoice_goes_between_the_accounts_that_are_written(kind: PaymentPostingKind) -> None:
    row = next(row for row in table(PAYMENTS, "for an invoice") if row[0] == kind.value)
    pays = kind is PaymentPostingKind.RELEASE
    ((source, destination, _),) = (booking.paid_on_invoice if pays else booking.taken_from_invoice)(
        terms(credits=False), 10
    )
    assert quoted(row[1].replace("{currency}", "USD")) == [source.path, destination.path]


def test_every_purpose_is_named() -> None:
    named = PAYMENTS.split("Its `purpose` is one of", 1)[1].split(":", 1)[0]
    assert set(quoted(named)) == {kind.value for kind in PurposeKind}


def _names_an_event(node: ast.Assign) -> bool:
    return bool({target.id for target in node.targets if isinstance(target, ast.Name)} & {"event", "word"})


def events_in_source() -> Iterator[str]:
    for path in (ROOT / "domain" / "payments" / "payment").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "Outcome":
                    found = [keyword.value for keyword in node.keywords if keyword.arg == "event"]
                elif node.func.id in {"_with_refund", "_dispute_outcome", "_outcome", "_unfulfilled", "spent"}:
                    found = node.args
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp) and _names_an_event(node):
                found = [node.value.body, node.value.orelse]
            yield from (each.value for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_every_kind_of_event_is_listed() -> None:
    listed = PAYMENTS.split("## The timeline", 1)[1].split("Kinds:", 1)[1].split(".\n", 1)[0]
    assert set(quoted(listed)) == set(events_in_source()) | MADE_OF_A_STATUS
    booked = {kind for _, event, _ in table(PAYMENTS, "when") for kind in quoted(event)}
    assert booked <= set(quoted(listed))


def test_events_that_alert_are_those_that_are_listed() -> None:
    listed = " ".join(PAYMENTS.split()).split("of the same name for ", 1)[1].split("and `payment.debt`", 1)[0]
    assert set(quoted(listed)) == set(ALERTED)


def test_moves_that_are_named_exist() -> None:
    words = {word for _, _, moves in table(PAYMENTS, "when") for word in re.findall(r"\b(\w+)(?=,|$)", moves)}
    assert words & {kind.value for kind in PaymentPostingKind} >= {
        "receive",
        "fee",
        "seize",
        "send_back",
        "retire",
        "release",
    }


def test_signals_are_those_of_the_workflow() -> None:
    definition = _Definition.must_from_class(PaymentWorkflow)
    assert set(definition.signals) == {*SIGNALS, "provider_event"}
    updates = {"confirm", "capture", "cancel", "refund", "create", "give_up"}
    assert set(definition.updates) == {*updates, "submit_evidence", "catch_up"}
    assert {name for name in updates if f"- **{name}**: " in PAYMENTS} == updates


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_to_paste_can_be_read(name: str) -> None:
    example = PAYMENTS.split(f"\n`{name}`, ", 1)[1].split("```json\n", 1)[1].split("```", 1)[0]
    assert SIGNALS[name].model_validate_json(example).operator == "kim"


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_events_to_subscribe_are_handled_as_written(provider: str) -> None:
    page = (DOCS / "guides" / "providers" / f"{provider}.md").read_text("utf-8")
    written = {event: handling for types, handling in table(page, "type") for event in quoted(types)}
    assert written == {event: handling_of(provider, event).value for event in written}
    known = _TABLE[provider]
    unnamed = [name for name in known if not any(event == name or event.startswith(name) for event in written)]
    assert unnamed == []


def test_least_amounts_are_those_of_the_adapter() -> None:
    page = (DOCS / "guides" / "providers" / "stripe.md").read_text("utf-8")
    written = {currency: least for least, currencies in table(page, "least") for currency in currencies.split()}
    assert written == {
        currency: format_amount(from_stripe(least, currency), currency) for currency, least in _MINIMUM.items()
    }


def test_currencies_of_paypal_are_those_of_the_adapter() -> None:
    page = (DOCS / "guides" / "providers" / "paypal.md").read_text("utf-8")
    listed = page.split("## Currencies and amounts", 1)[1].split(".", 1)[0]
    assert set(listed.split()) == SUPPORTED


def test_test_cards_do_what_is_written() -> None:
    rows = table(SANDBOXES, "id")
    for cell, number, does in rows:
        card = CARDS[quoted(cell)[0]]
        assert number.replace(" ", "") == card.number
        assert quoted(does) == ([card.decline] if card.decline else [])
    assert f"out of {len(CARDS)} that" in SANDBOXES


def test_control_of_the_sandbox_of_stripe_is_as_written() -> None:
    operations.load()
    import_module("dev.sandbox.stripe.control")
    part = SANDBOXES.split("### Control", 1)[1].split("### With", 1)[0]
    rows = table(part, "path below `/_control`")
    paths = {path for row in rows for path in quoted(row[0])}
    # Tests of the sandbox add controls of their own.
    known = {path for path in core.CONTROLS if not path.startswith("test/")}
    assert paths == {*known, "clock", "webhooks/flush"}
    modes = next(row for row in rows if row[0] == "`faults`")[2].split("Modes: ", 1)[1]
    assert tuple(quoted(modes)) == conditions.MODES


def test_size_of_the_sandbox_of_stripe_is_as_written() -> None:
    operations.load()
    assert f"{len(core.OPERATIONS)} of the {len(schemas.operations())} operations" in SANDBOXES


def test_faults_of_the_other_sandboxes_are_as_written() -> None:
    paypal, chains = SANDBOXES.split("## PayPal", 1)[1].split("## Chains", 1)
    faults = next(row for row in table(paypal, "path below `/_control`") if row[0] == "`faults`")
    assert tuple(quoted(faults[2])) == paypal_control.FAULTS
    services = next(row for row in table(chains, "path below `/_control`") if row[0] == "`faults`")
    assert set(SERVICES) <= set(quoted(services[2]))


@pytest.mark.parametrize("name", ["stripe", "paypal", "crypto"])
def test_what_was_not_run_is_said(name: str) -> None:
    assert "**What was not run.**" in prose(DOCS / "guides" / "providers" / f"{name}.md")
