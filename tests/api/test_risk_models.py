"""Models and their scores, as operators read them."""

from datetime import UTC, datetime
from typing import Any

from domain.risk.training import ModelStatus
from repositories.risk import model as models
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.test_risk_rules import decision, store

NOW = datetime(2026, 3, 4, tzinfo=UTC)


async def test_models_are_listed_with_their_reports(operator: Caller, tenant: Tenant, database: Database) -> None:
    async with database.platform() as session:
        row = await models.add(session, ModelStatus.RETIRED, {"trees": []}, {"reason": "Unfair.", "acts": 9}, NOW)
    found = good(await operator.get("/risk/models", params={"limit": 1}))["data"]
    assert found == [
        {
            "version": row.version,
            "status": "retired",
            "report": {"reason": "Unfair.", "acts": 9},
            "created_at": "2026-03-04T00:00:00Z",
        }
    ]
    refused(await tenant.owner.get("/risk/models"), 403, "auth.forbidden")


async def test_decision_shows_both_scores(operator: Caller, database: Database) -> None:
    scores: list[dict[str, Any]] = [{"version": version, "score_e4": 5, "reasons": []} for version in (1, 2)]
    both, shadow = await store(
        database,
        decision(NOW, 5, score={**scores[0], "challenger": scores[1]}),
        decision(NOW, 5, score={"challenger": scores[1]}),
    )
    found = [good(await operator.get(f"/risk/decisions/{each}")) for each in (both, shadow)]
    assert [each["score_e4"] for each in found] == [5, None]
    assert [each["details"]["score"] for each in found] == [scores[0], None]
    assert [each["details"]["challenger_score"] for each in found] == [scores[1]] * 2
