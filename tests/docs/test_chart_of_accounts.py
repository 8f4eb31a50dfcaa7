"""The chart of accounts in docs/reference/ledger.md is the one that the product opens."""

import re

from domain.common import accounts
from domain.common.accounts import Account
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "ledger.md").read_text("utf-8")
STREAMS = (
    *(
        "credit_issuance",
        "credit_redemption",
        "commission",
        "revenue/{stream}",
        "breakage",
        "deferred_revenue",
        "deferred_subscriptions",
        "payable",
    ),
    *(
        "tax/{code}",
        "promotions",
        "fees/{provider}",
        "exchange",
        "corrections",
        "bad_debt",
        "rounding",
        "card_purchases",
        "slot_issuance",
    ),
)


def every_account() -> list[Account]:
    tenant = [
        accounts.org_credits("{id}"),
        accounts.org_cash("{id}", "USD"),
        accounts.payment("{payment}", "USD", "{id}"),
        accounts.payout("{payout}", "USD", "{id}"),
        accounts.org_debt("{id}", "USD"),
        accounts.org_receivable("{id}", "USD"),
        accounts.org_slots("{id}"),
        accounts.org_slots_in_use("{id}"),
        accounts.agent_earnings("{id}", "USD", "org"),
        accounts.agent_granted_earnings("{id}", "org"),
        accounts.agent_own_work("{id}", "USD", "org"),
        accounts.escrow("{id}", "USD", "org"),
    ]
    return [*tenant, *(accounts.platform(name, "USD") for name in STREAMS), accounts.provider_clearing("{name}", "USD")]


def test_every_account_is_listed_with_its_kind_floor_and_stripes() -> None:
    listed = {
        re.sub(r"\{(currency|asset)\}", "USD", path): (kind, None if floor == "none" else int(floor), int(stripes))
        for path, kind, floor, stripes in re.findall(r"^\| `(.+?)` \| [^|]+ \| (\w+) \| (\w+) \| (\d+) \|$", PAGE, re.M)
    }
    assert listed == {a.path: (a.kind.value, a.minimum_balance_minor, a.stripes) for a in every_account()}
