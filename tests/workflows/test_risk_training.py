"""The weekly training on stored decisions, and the models that then score acts."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.risk.training import RiskTrainingActivities
from contracts.risk.training import TrainedModel, TrainModel
from domain.risk.facts import FACTS
from domain.risk.training import ModelStatus
from providers import boosting
from repositories.risk import model as models
from runtime.database import Database
from runtime.identity import new_id
from tests.repositories.test_risk_decisions import NOW, made_risk, payment
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.risk.training import RiskTrainingWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

_DECISION = text("""
    INSERT INTO risk_decisions (id, point, org_id, principal, subject, command_id, outcome, shadow, facts, entities,
        value_minor, label, label_at, created_at)
    VALUES (:id, 'payout', 'org_of_this_test', 'somebody', 'pot_1', :id, 'allow', '{}', CAST(:facts AS jsonb), '{}', 0,
        :label, :at, :at)
""")


async def retire_all(session: AsyncSession) -> None:
    await session.execute(text("UPDATE risk_models SET status = 'retired'"))


async def scores_of(database: Database) -> dict[str, Any]:
    """Decide a payment, and return the stored scores and the score that rules saw."""
    act = payment(new_id("org"), facts={"payouts_before": 1})
    async with database.platform() as session:
        await made_risk().decide(session, act, NOW)
        query = text("SELECT score, facts->'model_score' AS seen FROM risk_decisions WHERE command_id = :id")
        return dict((await session.execute(query, {"id": act.command_id})).one()._mapping)


async def test_weekly_training_makes_a_champion_that_scores_acts(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    seeded, rows = random.Random(67), []
    begin = datetime.now(UTC) - timedelta(days=415)
    for number in range(1_200):
        is_fraud = number % 3 == 0
        facts = {"payouts_before": seeded.randrange(3) if is_fraud else seeded.randrange(2, 90), "amount": number}
        facts["organization_age_hours"] = seeded.randrange(9_000)
        at = begin + timedelta(hours=8 * number)
        label = "fraud" if is_fraud else "legitimate"
        rows.append({"id": new_id("rsd"), "facts": json.dumps(facts), "label": label, "at": at})
    async with database.platform() as session:
        await session.execute(_DECISION, rows)
    work, client = RiskTrainingActivities(database), with_plugin(timeskip_env.client)
    queue = new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[RiskTrainingWorkflow], activities=[work.train_model]):
        handle = await client.start_workflow(RiskTrainingWorkflow.run, id=new_id("training"), task_queue=queue)
        trained: TrainedModel = await handle.result()
        assert f"Model {trained.version} is **champion**" in str(await handle.query("__temporal_workflow_metadata"))
        history = await handle.fetch_history()
        await replay_and_keep(history, "risk-training/trained")
    assert (trained.status, trained.reason) == ("champion", "It is better than the rules.")
    assert trained.acts + trained.frauds > 1_000
    found = await scores_of(database)
    assert found["score"]["version"] == trained.version
    assert found["score"]["score_e4"] == found["seen"] > 5_000
    assert found["score"]["reasons"][0]["sentence"] == FACTS["payouts_before"].sentence
    # An attempt whose result was lost returns what it stored, and trains no other.
    run = history.events[0].workflow_execution_started_event_attributes.original_execution_run_id
    assert await work.train_model(TrainModel(run=run, now=datetime.now(UTC))) == trained
    async with database.platform() as session:
        await retire_all(session)
        await session.execute(text("DELETE FROM risk_decisions WHERE org_id = 'org_of_this_test'"))


async def test_challenger_scores_in_shadow_until_it_replaces_the_champion(database: Database) -> None:
    document = {"features": [["amount", ""]], "trees": []}
    async with database.platform() as session:
        await retire_all(session)
        old = await models.add(session, ModelStatus.CHAMPION, {**document, "base": 0.0}, {}, NOW)
        await models.add(session, ModelStatus.CHALLENGER, {**document, "base": 2.0}, {}, NOW)
        new = await models.add(session, ModelStatus.CHALLENGER, {**document, "base": -2.0}, {}, NOW)
        await models.add(session, ModelStatus.RETIRED, {**document, "base": 1.0}, {}, NOW)
    found = await scores_of(database)
    below = {"version": new.version, "score_e4": 1_192, "reasons": []}
    assert found["score"] == {"version": old.version, "score_e4": 5_000, "reasons": [], "challenger": below}
    assert found["seen"] == 5_000
    async with database.platform() as session:
        last = await models.add(session, ModelStatus.CHAMPION, {**document, "base": -2.0}, {}, NOW)
    assert await scores_of(database) == {"score": {**below, "version": last.version}, "seen": 1_192}
    async with database.platform() as session:
        await retire_all(session)


async def test_worker_without_the_library_trains_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "is_installed", lambda: False)
    result = await RiskTrainingActivities(database).train_model(TrainModel(run="run", now=NOW))
    assert (result.version, result.reason) == (
        None,
        "scikit-learn is not installed in this worker, so the rules decide alone.",
    )
