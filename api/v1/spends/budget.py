"""Budget headers of responses to spends."""

from collections.abc import Mapping
from datetime import UTC, datetime

from api.deps import Deps
from domain.common.text import rfc3339
from ledger.spends import Spender, SpendResult
from repositories.budgets.remaining import remaining


async def headers_of(deps: Deps, org_id: str, spent: SpendResult, spender: Spender) -> Mapping[str, str]:
    """Return the rest of the tightest budget and when it resets; empty if no budget counts the spend."""
    if not spent.budgeted:
        return {}
    async with deps.database.platform() as session:
        left = (await remaining(session, org_id, spender, at=datetime.now(UTC))).binding
    if left is None:
        return {}
    headers = {"X-Budget-Remaining": f"{left.shown()} {left.asset}"}
    return headers if left.resets_at is None else headers | {"X-Budget-Resets": rfc3339(left.resets_at)}
