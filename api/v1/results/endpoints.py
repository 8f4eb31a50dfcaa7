"""Results of runs and tasks."""

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
    """Report the result of a run or a task, a score between 0 and 1.

    Use a key that does not belong to an agent: results reported by an agent's key are stored and do not count, because
    an agent could praise itself. Results of escrows are recorded automatically and take precedence over reported ones.
    Of several results of a run the latest counts.
    """
    org_id = await known_organization(deps, actor, body.organization_id)
    reported = body.result(actor, org_id, command.command_id)
    async with command, deps.database.platform() as session:
        return command.answer(ResultView.of((await result.record(session, reported, now=datetime.now(UTC))).row))
