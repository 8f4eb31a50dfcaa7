"""The tables of docs/guides/invoices.md say what the rules do."""

from functools import partial
from itertools import takewhile

import pytest

from domain.billing.invoice.booking import CREDITS_APPLIED
from domain.billing.invoice.state import InvoiceBalance, InvoiceStatus, require_payable, require_voidable
from domain.common import accounts
from domain.common.access import PERMISSIONS, Permission, Role
from domain.common.errors import DomainError
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "guides" / "invoices.md").read_text("utf-8")


def table(first_cell: str) -> list[list[str]]:
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    rows = takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|")] for row in rows]


@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_states_take_what_is_written(status: InvoiceStatus) -> None:
    row = next(row for row in table("state") if row[0] == f"`{status}`")
    paid = 10 if status is InvoiceStatus.PAID else 0
    standing = InvoiceBalance(status=status, total_minor=10, paid_minor=paid)

    def taken(decide: object) -> bool:
        try:
            decide(standing)  # type: ignore[operator]
        except DomainError:
            return False
        return True

    assert [taken(require_payable), taken(partial(require_voidable, currency="USD"))] == [
        bool(cell) for cell in row[2:]
    ]


def test_accounts_are_those_of_the_chart() -> None:
    chart = {
        accounts.org_receivable("{id}", "USD").path,
        accounts.payment("{payment}", "USD", "{id}").path,
        accounts.platform("revenue/invoices", "USD").path,
        accounts.platform("bad_debt", "USD").path,
        accounts.platform("rounding", "USD").path,
        accounts.platform("tax/{code}", "USD").path,
        accounts.platform(CREDITS_APPLIED, "USD").path,
        accounts.platform("credit_redemption", "CREDIT").path,
        accounts.org_credits("{id}").path,
    }
    moves = [cell.replace("{currency}", "USD").split(" → ") for _, cell in table("when")]
    assert {path.strip("`") for move in moves for path in move} == chart
    assert all(len(move) == 2 for move in moves)


def test_who_may_pay_and_issue_is_as_written() -> None:
    who = {frozenset(cell.replace("`", "").split(", ")): does for cell, does in table("who")}
    payers = frozenset(role.value for role in Role if Permission.PAY in PERMISSIONS[role])
    operators = frozenset(role.value for role in Role if Permission.OPERATE in PERMISSIONS[role])
    assert "/pay" in who[payers]
    assert "`void`" in who[operators]
