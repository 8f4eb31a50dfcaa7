"""What answers to spends say of the budgets above them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from api.deps import Deps
from domain.common.text import rfc3339
from ledger.spends import Spender, SpendResult
from repositories.budgets.remaining import remaining


async def headers_of(deps: Deps, org_id: str, spent: SpendResult, spender: Spender) -> Mapping[str, str]:
    """Return what is left of the budget that refuses first, and when it resets; nothing where no budget counted it."""
    if not spent.budgeted:
        return {}
    async with deps.database.platform() as session:
        left = (await remaining(session, org_id, spender, at=datetime.now(UTC))).binding
    if left is None:
        return {}
    headers = {"X-Budget-Remaining": f"{left.shown()} {left.asset}"}
    return headers if left.resets_at is None else headers | {"X-Budget-Resets": rfc3339(left.resets_at)}
