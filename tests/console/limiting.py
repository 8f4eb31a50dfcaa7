"""Makes what the pages of limits, of alert rules and of webhook endpoints show: a limit, a rule, an endpoint."""

from datetime import UTC, datetime

from domain.common.access import Actor, Role
from domain.messages.webhook.endpoint import Ordering
from runtime.database import Database
from runtime.identity import new_id
from services.messages import webhook_endpoint
from services.messages.webhook_endpoint import NewEndpoint
from tests.support.webhooks import SEALER

LIMIT = {"subject": {"type": "organization"}, "limits": [{"window": "month", "amount": "250", "uses": 100}]}
BUDGET = {
    "subject": {"type": "organization"},
    "limits": [{"window": "day", "amount": "5000"}, {"window": "week", "amount": "10000"}],
    "reserve": "2000",
    "emergency": "1000",
    "may_draw_reserve": "500",
}

RULE = {
    "name": "balance_under_50",
    "metric": "credits.available",
    "condition": {"type": "below", "threshold": "50"},
    "ladder": [{"role": "owner"}, {"role": "admin", "after": "PT30M"}],
}


async def endpoint(database: Database, org_id: str) -> str:
    """Return an endpoint of an organization that is sent every event."""
    wanted = NewEndpoint(
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
