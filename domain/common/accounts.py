"""The chart of accounts: every account that the product opens, by path, with its owner, kind and minimum balance.

A posting moves money from a source to a destination account; a balance is amounts in less amounts out. So the sum over
all accounts of an asset is always zero, and accounts that face the outside or issue an asset are negative by the total
brought in. Accountants read the same numbers as debits and credits, see `debit_credit` and `normal_balance`.
"""

from dataclasses import dataclass
from enum import StrEnum

from domain.common.money import CREDIT, SLOT, scale_of

#: The maximum number of stripes of accounts that every tenant posts to. The database session chooses the stripe, and
#: the number in use is a setting of the database, see `ledger.stripes`.
HOT_STRIPES = 64


class AccountKind(StrEnum):
    """Position of an account on the platform's balance sheet or income statement."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"


#: Kinds whose balance grows by debits. All others grow by credits.
DEBIT_NORMAL = frozenset({AccountKind.ASSET, AccountKind.EXPENSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, with the properties by which it is opened on first use. Its identity is (path, asset).

    Attributes:
        path: its place in the chart, for example `org/org_…/credits`.
        asset: the asset that it holds.
        org_id: the tenant that may read it; None for the platform's own.
        kind: see `AccountKind`.
        minimum_balance_minor: the available balance never falls below it; None for accounts that issue an asset or face
            the outside.
        stripes: rows that share the balance of a hot account; more than one only without a minimum balance.
        lots: whether its credits are kept in lots, see `domain.credits.lots`; each transfer in names the lots.
        lots_lapse: whether expired lots can no longer be spent.
    """

    path: str
    asset: str
    org_id: str | None
    kind: AccountKind
    minimum_balance_minor: int | None
    stripes: int = 1
    lots: bool = False
    lots_lapse: bool = False

    def __post_init__(self) -> None:
        """Check the asset, and the rules that the database checks as well."""
        scale_of(self.asset)
        if self.minimum_balance_minor is not None and self.stripes != 1:
            raise ValueError("a minimum balance is checked on one row, so a striped account has none")


def org_credits(org_id: str) -> Account:
    """Credits that an organization can spend."""
    return _tenant(f"org/{org_id}/credits", CREDIT, org_id, lots=True, lots_lapse=True)


def org_cash(org_id: str, currency: str) -> Account:
    """Money that an organization holds with the platform, one account a currency."""
    return _tenant(f"org/{org_id}/cash/{currency}", currency, org_id)


def org_slots(org_id: str) -> Account:
    """Slots that an organization has bought and does not use."""
    return _tenant(f"org/{org_id}/slots", SLOT, org_id)


def org_slots_in_use(org_id: str) -> Account:
    """Slots that an organization's deployed projects occupy."""
    return _tenant(f"org/{org_id}/slots_in_use", SLOT, org_id)


def org_wallet(org_id: str, asset: str) -> Account:
    """The account that an organization pays from in that asset: its credits, its slots, or its cash."""
    if asset == SLOT:
        return org_slots(org_id)
    return org_credits(org_id) if asset == CREDIT else org_cash(org_id, asset)


def payment(payment_id: str, asset: str, org_id: str) -> Account:
    """Money of a payment without an owner yet: an escrow's money, a refund on its way, a disputed entitlement."""
    return _tenant(f"org/{org_id}/payments/{payment_id}", asset, org_id, lots=asset == CREDIT)


def payout(payout_id: str, asset: str, org_id: str) -> Account:
    """Earnings that a payout has taken, until it is sent or returned."""
    return _tenant(f"org/{org_id}/payouts/{payout_id}", asset, org_id, lots=asset == CREDIT)


def org_debt(org_id: str, asset: str) -> Account:
    """An organization's debt to the platform; the balance is the negative debt, never positive."""
    path = f"org/{org_id}/debt/{asset}"
    return Account(path=path, asset=asset, org_id=org_id, kind=AccountKind.ASSET, minimum_balance_minor=None)


def org_receivable(org_id: str, currency: str) -> Account:
    """An organization's unpaid invoices; the balance is the negative amount, never positive."""
    path = f"org/{org_id}/receivable/{currency}"
    return Account(path=path, asset=currency, org_id=org_id, kind=AccountKind.ASSET, minimum_balance_minor=None)


def agent_earnings(agent_id: str, asset: str, org_id: str) -> Account:
    """Earnings of an agent that its organization `org_id` can take out."""
    return _tenant(f"agent/{agent_id}/earnings/{asset}", asset, org_id, lots=asset == CREDIT)


def agent_granted_earnings(agent_id: str, org_id: str) -> Account:
    """Granted credits that an agent has earned; they cannot be paid out to its organization `org_id`."""
    path = f"agent/{agent_id}/granted_earnings/{CREDIT}"
    return _tenant(path, CREDIT, org_id, lots=True)


def agent_sales(agent_id: str, org_id: str) -> Account:
    """Credits that were paid for an agent of `org_id` and are shared within the same transaction."""
    return _tenant(f"agent/{agent_id}/sales/{CREDIT}", CREDIT, org_id, lots=True)


def agent_own_work(agent_id: str, asset: str, org_id: str) -> Account:
    """An agent's earnings from its own organization `org_id`; they cannot be paid out."""
    return _tenant(f"agent/{agent_id}/own_work/{asset}", asset, org_id, lots=asset == CREDIT)


def escrow(escrow_id: str, asset: str, org_id: str) -> Account:
    """Money in escrow; `org_id` is the payer, who sees the account."""
    return _tenant(f"escrow/{escrow_id}", asset, org_id, lots=asset == CREDIT)


_PLATFORM_KINDS = {
    "credit_issuance": AccountKind.EQUITY,
    "credit_redemption": AccountKind.EQUITY,
    "slot_issuance": AccountKind.EQUITY,
    "commission": AccountKind.REVENUE,
    "deferred_revenue": AccountKind.LIABILITY,
    "deferred_subscriptions": AccountKind.LIABILITY,
    "payable": AccountKind.LIABILITY,
    "promotions": AccountKind.EXPENSE,
    "breakage": AccountKind.REVENUE,
    "exchange": AccountKind.EQUITY,
    "corrections": AccountKind.EXPENSE,
    "bad_debt": AccountKind.EXPENSE,
    "rounding": AccountKind.EXPENSE,
    "card_purchases": AccountKind.EXPENSE,
}
_PLATFORM_FAMILIES = {"revenue": AccountKind.REVENUE, "tax": AccountKind.LIABILITY, "fees": AccountKind.EXPENSE}


def platform(stream: str, asset: str) -> Account:
    """A platform account, striped because every tenant posts to it.

    Args:
        stream: `credit_issuance`, `credit_redemption`, `slot_issuance`, `commission`, `deferred_revenue`,
            `deferred_subscriptions`, `payable`, `promotions`, `breakage`, `exchange`, `corrections`, `bad_debt`,
            `rounding`, `card_purchases`, or a member of a family: `revenue/{stream}`, `tax/{code}`, `fees/{provider}`.
        asset: the asset that it holds.

    Raises:
        ValueError: the account is not in the chart.
    """
    family, _, member = stream.partition("/")
    kind = _PLATFORM_FAMILIES.get(family) if member else _PLATFORM_KINDS.get(stream)
    if kind is None:
        raise ValueError(f"the chart of accounts has no platform/{stream}")
    return Account(
        path=f"platform/{stream}", asset=asset, org_id=None, kind=kind, minimum_balance_minor=None, stripes=HOT_STRIPES
    )


def provider_clearing(provider: str, asset: str) -> Account:
    """Money at a payment provider, on its way in or out; faces the outside."""
    return Account(
        path=f"provider/{provider}/clearing",
        asset=asset,
        org_id=None,
        kind=AccountKind.ASSET,
        minimum_balance_minor=None,
        stripes=HOT_STRIPES,
    )


def _tenant(path: str, asset: str, org_id: str, *, lots: bool = False, lots_lapse: bool = False) -> Account:
    return Account(
        path=path,
        asset=asset,
        org_id=org_id,
        kind=AccountKind.LIABILITY,
        minimum_balance_minor=0,
        lots=lots,
        lots_lapse=lots_lapse,
    )


def debit_credit(amount_minor: int) -> tuple[int, int]:
    """Return an entry's signed amount as (debit, credit): amounts out of an account debit it.

    The rule is the same for all kinds of accounts, so the debits of every transfer equal its credits. A customer's
    payment leaves `provider/…/clearing`, an asset, and so debits it, which increases an asset.
    """
    return (-amount_minor, 0) if amount_minor < 0 else (0, amount_minor)


def normal_balance(balance_minor: int, kind: AccountKind) -> int:
    """Return a balance signed by the normal side of its kind: an asset or expense in use is positive."""
    return -balance_minor if kind in DEBIT_NORMAL else balance_minor
