"""Results: how well the work of runs and tasks turned out."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.results.schemas import ResultCreate, ResultView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from services.returns import result

router = Resource(tags=["results"])


@router.post("/results", status_code=201, response_model=ResultView, responses=errors(NotFound))
async def report_result(
    body: ResultCreate, deps: DepsDep, *, actor: Actor = require(Permission.METER), command: MovesMoney
) -> Response:
    """Report how well the work of a run or a task turned out, by a score between 0 and 1.

    Report the score of whoever judged the work, with a key that is no agent's: what the key of an agent reports is kept
    and counts nowhere, because an agent could praise itself. Results of escrows are recorded with the escrow's event
    and stand above what is reported. Of several results of a run the latest counts.
    """
    org_id = await known_organization(deps, actor, body.organization_id)
    reported = body.result(actor, org_id, command.command_id)
    async with command, deps.database.platform() as session:
        return command.answer(ResultView.of((await result.record(session, reported, now=datetime.now(UTC))).row))
