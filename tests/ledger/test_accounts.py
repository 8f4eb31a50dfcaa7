import pytest
from hypothesis import given, strategies as st

from domain.common import accounts
from domain.common.accounts import Account, AccountKind, debit_credit, normal_balance
from domain.common.errors import Invalid
from domain.common.ids import is_id, transfer_id, uuid_of


def test_chart_has_the_designed_paths() -> None:
    chart = [
        accounts.org_credits("o"),
        accounts.org_cash("o", "USD"),
        accounts.agent_earnings("a", "CREDIT", "o"),
        accounts.escrow("e", "EUR", "o"),
        accounts.platform("commission", "CREDIT"),
        accounts.platform("revenue/api", "USD"),
        accounts.platform("tax/DE", "EUR"),
        accounts.platform("fees/stripe", "USD"),
        accounts.provider_clearing("stripe", "USD"),
    ]
    assert [account.path for account in chart] == [
        "org/o/credits",
        "org/o/cash/USD",
        "agent/a/earnings/CREDIT",
        "escrow/e",
        "platform/commission",
        "platform/revenue/api",
        "platform/tax/DE",
        "platform/fees/stripe",
        "provider/stripe/clearing",
    ]
    for account in chart:
        belongs_to_a_tenant = account.org_id is not None
        assert (account.minimum_balance_minor, account.stripes) == (
            (0, 1) if belongs_to_a_tenant else (None, accounts.HOT_STRIPES)
        )


@pytest.mark.parametrize("asset", ["CREDIT", "USD", "BTC"])
def test_wallet_is_credits_or_cash(asset: str) -> None:
    expected = accounts.org_credits("o") if asset == "CREDIT" else accounts.org_cash("o", asset)
    assert accounts.org_wallet("o", asset) == expected


@pytest.mark.parametrize("stream", ["", "nothing", "revenue", "tax/", "commission/x"])
def test_account_outside_the_chart_is_refused(stream: str) -> None:
    with pytest.raises(ValueError, match="chart of accounts"):
        accounts.platform(stream, "CREDIT")


def test_unknown_asset_and_striped_floor_are_refused() -> None:
    with pytest.raises(Invalid):
        accounts.org_cash("o", "XYZ")
    with pytest.raises(ValueError, match="striped"):
        Account(path="x", asset="USD", org_id=None, kind=AccountKind.ASSET, minimum_balance_minor=0, stripes=2)


@given(amounts=st.lists(st.integers(-(10**15), 10**15)))
def test_debits_equal_credits_whenever_entries_balance(amounts: list[int]) -> None:
    entries = [*amounts, -sum(amounts)]
    columns = [debit_credit(amount) for amount in entries]
    assert sum(debit for debit, _ in columns) == sum(credit for _, credit in columns)
    assert all(debit >= 0 and credit >= 0 and 0 in (debit, credit) for debit, credit in columns)


def test_money_at_a_provider_is_a_debit_and_reads_as_a_positive_asset() -> None:
    clearing = accounts.provider_clearing("stripe", "USD")
    assert debit_credit(-1000) == (1000, 0)
    assert normal_balance(-1000, clearing.kind) == 1000
    assert normal_balance(1000, accounts.org_cash("o", "USD").kind) == 1000


@given(value=st.uuids())
def test_transfer_id_round_trips(value) -> None:
    text = transfer_id(value)
    assert is_id(text, "tr")
    assert uuid_of(text) == value
