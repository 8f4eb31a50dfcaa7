"""The tables of docs/guides/escrow.md say what the rules do."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from api.fields import period_text
from contracts.escrow import escrow as messages
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.common.money import allocate, format_amount, parse_amount, parse_ratio
from domain.escrow.settlement import payout
from domain.escrow.state import ALLOWED, FINAL, WHOLE_E4, EscrowPostingKind, EscrowStatus
from runtime.settings import Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "escrow.md").read_text("utf-8")
SIGNALS: dict[str, type[messages.OperatorSignal]] = {
    "approve": messages.ApproveSignal,
    "dispute": messages.DisputeSignal,
    "resolve": messages.ResolveSignal,
    "cancel": messages.CancelSignal,
}


def table(first_cell: str) -> list[dict[str, str]]:
    """Read the rows of the table whose header begins with this cell."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    names = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = []
    for line in takewhile(lambda line: line.startswith("|"), lines[start + 2 :]):
        cells = line.removeprefix("|").removesuffix("|").split("|")
        rows.append(dict(zip(names, (cell.strip().strip("`") for cell in cells), strict=True)))
    return rows


def test_table_of_commands_is_the_one_of_the_rules() -> None:
    states = ("open", "funded", "delivered", "disputed")
    written = {row["command"]: {state for state in states if row[state] == "yes"} for row in table("command")}
    assert written == {command: {str(state) for state in allowed} for command, allowed in ALLOWED.items()}


def test_every_state_is_explained_and_final_ones_are_marked() -> None:
    rows = {row["state"]: row["final"] == "yes" for row in table("state") if "final" in row}
    assert rows == {state.value: state in FINAL for state in EscrowStatus}


def test_defaults_are_those_of_the_settings() -> None:
    settings = Settings()
    start = PAGE.index("## Deadlines")
    written = {
        cells[2].strip(" `"): cells[3].strip()
        for cells in (line.split("|") for line in PAGE[start:].splitlines() if line.startswith("| `"))
        if cells[3].strip().startswith("P")
    }
    names = ("fund_within", "deliver_within", "review_period", "evidence_period", "decision_period", "default_grace")
    assert written == {name: period_text(int(getattr(settings, name).total_seconds())) for name in names}
    assert f"`dispute_default_payee_share` ({settings.dispute_default_payee_share})" in PAGE


@pytest.mark.parametrize("row", table("currency"), ids=lambda row: f"{row['held']} {row['currency']}")
def test_arithmetic_is_as_written(row: dict[str, str]) -> None:
    currency, share = row["currency"], parse_ratio(row["payee share"], "share")
    gross, back = allocate(parse_amount(row["held"], currency), [share, WHOLE_E4 - share])
    moves = {move.kind: move.amount_minor for move in payout(gross, int(row["commission bps"]))}
    assert [row["to the agent"], row["commission"], row["back to the payer"]] == [
        format_amount(amount, currency)
        for amount in (moves.get(EscrowPostingKind.RELEASE, 0), moves.get(EscrowPostingKind.COMMISSION, 0), back)
    ]


@pytest.mark.parametrize("command", ["fund", "deliver", "approve", "dispute", "refund", "cancel"])
def test_roles_that_may_give_a_command_are_those_of_the_permission_table(command: str) -> None:
    rule = PAGE.split(f"- **{command}**: ", 1)[1].split("\n- **", 1)[0]
    named = next(names for names in re.findall(r"\(([^)]*)\)", rule) if "`owner`" in names)
    allowed = {role.value for role in Role if Permission[command.upper()] in PERMISSIONS[role]}
    assert set(re.findall(r"`(\w+)`", named)) == allowed - {role.value for role in PLATFORM_ROLES} - {"agent"}
    assert ("agent's" in rule) == ("agent" in allowed)


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_to_paste_can_be_read(name: str) -> None:
    example = PAGE.split(f"\n`{name}`, ", 1)[1].split("```json\n", 1)[1].split("```", 1)[0]
    assert SIGNALS[name].model_validate_json(example).operator == "kim"
