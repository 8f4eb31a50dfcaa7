"""Every kind of alert is registered, and the page matches the code."""

import ast
import re
from pathlib import Path

from activities.payouts.payout import ALERTED as OF_PAYOUTS
from domain.credits.spend.alerts import AlertKind
from domain.messages.alert.kinds import BOTH, KINDS, OPERATORS, OWNERS, OWNERS_FIRST
from services.payments.payment_alerts import ALERTED as OF_PAYMENTS
from tests.support.cases import for_each

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/guides/alerts.md").read_text("utf-8")
LADDERS = {"": (), "owners": OWNERS, "owners first": OWNERS_FIRST, "both": BOTH, "operators": OPERATORS}
#: Of rules, which raise their kinds under the name of the rule.
BY_RULES = {"fraud_suspected", "probe_failed", "provider_down"}


def raised_by_code() -> set[str]:
    """Find the kinds and constants used where alerts are raised."""
    kinds = {f"payment.{event}" for event in OF_PAYMENTS} | {f"payout.{event}" for event in OF_PAYOUTS}
    kinds |= {kind.value for kind in AlertKind}
    for folder in ("activities", "services", "api", "domain"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("raise_alert"):
                    (kind,) = (each.value for each in node.keywords if each.arg == "kind")
                    if isinstance(kind, ast.Constant):
                        kinds.add(str(kind.value))
    return kinds


def test_every_kind_that_code_raises_is_known():
    assert raised_by_code() - set(KINDS) == set()


@for_each("kind", sorted(set(KINDS) - BY_RULES))
def test_the_page_says_of_a_kind_what_the_code_does(kind: str):
    (row,) = re.findall(rf"^\|([^|]*)\|([^|]*)\|[^|]*\|([^|]*)\|[^|]*`{re.escape(kind)}`[^|]*\|$", PAGE, re.MULTILINE)
    ladder, severity, closed_by = (cell.strip() for cell in row)
    known = KINDS[kind]
    assert (severity, closed_by, LADDERS[ladder]) == (known.severity.value, known.closed_by, known.ladder)
