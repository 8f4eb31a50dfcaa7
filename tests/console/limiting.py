"""Makes what the pages of limits, payment policies, alert rules and webhook endpoints show: one of each."""

from datetime import UTC, datetime, timedelta

from domain.common.access import Actor, Role
from domain.messages.webhook.endpoint import Ordering
from runtime.database import Database
from runtime.identity import new_id
from services.messages import webhook_endpoint
from services.messages.webhook_endpoint import EndpointRequest
from tests.support.webhooks import SEALER

LIMIT = {"subject": {"type": "organization"}, "limits": [{"window": "month", "amount": "250", "uses": 100}]}
BUDGET = {
    "subject": {"type": "organization"},
    "limits": [{"window": "day", "amount": "5000"}, {"window": "week", "amount": "10000"}],
    "reserve": "2000",
    "emergency": "1000",
    "may_draw_reserve": "500",
}

REPORT = {"name": "<Projects>", "template": "weekly_projects", "format": "pdf"}
EXPORT = {"dataset": "entries", "from": "2026-01-01T00:00:00Z"}
RULE = {
    "name": "balance_under_50",
    "metric": "credits.available",
    "condition": {"type": "below", "threshold": "50"},
    "ladder": [{"role": "owner"}, {"role": "admin", "after": "PT30M"}],
}


POLICY: dict[str, object] = {
    "subject": {"type": "organization"},
    "currency": "CAD",
    "free_first": "require",
    "free_first_above": "5",
    "methods": ["free", "card", "TON", "USDC"],
    "crypto": {
        "primary": "USDC",
        "fallbacks": ["TON"],
        "reasoning": "Its <worth> is stable.",
        "wallet_creation": "ask",
    },
    "vendors": {"refused": ["Casino"]},
    "per_purchase": "50",
    "approval_above": "0.40",
    "two_persons_above": "40",
    "answer_within": "PT4H",
}
OPTION: dict[str, object] = {
    "name": "Codeium",
    "category": "coding",
    "address": "https://codeium.example/plans",
    "quota": 500,
    "quota_window": "month",
}
METHOD: dict[str, object] = {
    "name": "card_primary",
    "label": "Card ending in 1234",
    "kind": "card",
    "fee": {"share": "0.029", "fixed": "0.30", "currency": "USD"},
}
#: In the currency of the policy, which asks for one approval of it.
ORDER: dict[str, object] = {
    "item": "Copilot <pro>",
    "vendor": "GitHub",
    "category": "coding",
    "amount": "25",
    "currency": "CAD",
    "term": "month",
    "why": "It completes <code>.",
    "alternatives": [
        {"name": "Codeium", "cost": "0", "fits": False, "why": "It has no <models> of ours."},
        {"name": "Tabnine", "cost": "12", "fits": True},
    ],
}
#: Many of these fit into the limit above, and each needs an approval.
SMALL_ORDER = ORDER | {"amount": "0.50"}
#: At `SECRET_PATH`, which the address of its page writes with `~`.
SECRET: dict[str, object] = {
    "kind": "api_key",
    "value": "sk-of-a-model",
    "hosts": ["api.example.com"],
    "rotation": {"rotator": "manual"},
}
SECRET_PATH, SECRET_NAME = "api_keys/model", "api_keys~model"


def secret_grant(**who: object) -> dict[str, object]:
    """Return a grant of the secret's use for an agent, or of reading it for a person."""
    ends_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    how: dict[str, object] = {"verbs": ["read"]}
    if "agent_id" in who:
        how = {"verbs": ["use"], "hosts": ["api.example.com"], "methods": ["POST"], "uses_per_day": 100}
        how["price"] = {"amount": "0.5"}
    return {"paths": ["api_keys/*"], "ends_at": ends_at, **how, **who}


#: A purchase counts in the limit above, which is in credits.
RATE: dict[str, object] = {"base": "USD", "quote": "CAD", "rate": "1.37", "valid_for": "P31D"}
#: Each with its name in `table.py`, and its path.
PUT: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("policy", "/payment-policies", POLICY),
    ("option", "/free-options", OPTION),
    ("method", "/purchase-methods", METHOD),
)


async def endpoint(database: Database, org_id: str) -> str:
    """Return an endpoint of an organization that is sent every event."""
    wanted = EndpointRequest(
        org_id=org_id,
        url="https://hooks.example.com/in",
        types=("*",),
        description="Our <books>",
        ordering=Ordering.SUBJECT,
        asymmetric=True,
        command_id=new_id("idk"),
    )
    owner = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
    async with database.platform() as session:
        row, _ = await webhook_endpoint.create(session, owner, wanted, SEALER, now=datetime.now(UTC))
    return row.id
