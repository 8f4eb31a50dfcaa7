"""Creation of payments by the whole HTTP application: with 100 rules and a model, and without decisions.

Two applications in this process use one stack. They differ in who decides, and are asked in turn.
"""

import json
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import count

import asyncpg
import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from api.app import create_app
from composition import make_price_book, make_providers, make_secrets
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from domain.risk.act import Outcome, RiskAct, StoredDecision
from domain.risk.facts import FACTS
from runtime import logs
from runtime.database import Database
from runtime.sealing import Sealer
from runtime.settings import read_settings
from services.risk.decision import Risk

RULES, TREES, DEPTH = 100, 200, 3
PAYMENTS, ROUNDS = 20, 12
NUMBERS = count(1)
#: An address of the public internet, so that all kinds of entities are counted.
ADDRESS = "81.2.69.142"
_RULE = """
INSERT INTO risk_rules (name, version, points, expression, action, priority, mode, sentence, created_by, command_id,
    created_at)
VALUES ($1, 1, '{payment,topup}', $2, 'block', 100, 'on', 'A rule of the bench.', 'operator', $1, now())
"""
_MODEL = """
INSERT INTO risk_models (version, status, document, report, created_at) VALUES (1, 'champion', $1, '{}', now())
"""


class _Undecided(Risk):
    """Allows every act without a statement."""

    async def decide(self, session: AsyncSession, act: RiskAct, now: datetime) -> StoredDecision:  # noqa: ARG002
        return StoredDecision(decision_id="", outcome=Outcome.ALLOW, at=now)


def model(draw: random.Random) -> Mapping[str, object]:
    """Return a model of full trees over the facts that are whole numbers."""
    features = [name for name, fact in FACTS.items() if fact.kind is int and name != "model_score"][:120]
    inner, nodes = 2**DEPTH - 1, 2 ** (DEPTH + 1) - 1
    tree: Mapping[str, list[float]]
    trees = []
    for _ in range(TREES):
        tree = {
            "feature": [draw.randrange(len(features)) if node < inner else -1 for node in range(nodes)],
            "threshold": [draw.randrange(10) + 0.5 for _ in range(nodes)],
            "left": [2 * node + 1 if node < inner else -1 for node in range(nodes)],
            "right": [2 * node + 2 if node < inner else -1 for node in range(nodes)],
            "value": [draw.uniform(-0.02, 0.01) for _ in range(nodes)],
        }
        trees.append(tree)
    return {"features": [[name, ""] for name in features], "trees": trees, "base": -6.0}


@asynccontextmanager
async def _app(kind: type[Risk]) -> AsyncIterator[httpx2.AsyncClient]:
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url, sealer=Sealer(settings.encryption_keys))
    app: FastAPI = create_app(
        settings,
        database=database,
        providers=make_providers(settings, database),
        prices=make_price_book(settings),
        secrets=make_secrets(settings),
    )
    app.state.deps.risk.__class__ = kind
    transport = httpx2.ASGITransport(app=app, client=(ADDRESS, 1))
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://app") as http:
        yield http
    await database.close()


async def _each_ms(http: httpx2.AsyncClient, key: str) -> float:
    """Create payments, and return the milliseconds of each."""
    body = {"amount": "12.34", "currency": "USD", "provider": "stripe", "purpose": "credits"}
    began = time.perf_counter()
    for _ in range(PAYMENTS):
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"bench-risk-{next(NUMBERS)}"}
        answer = await http.post("/api/v1/payments", json=body, headers=headers)
        if answer.status_code != 201:
            raise RuntimeError(f"POST /payments: {answer.status_code} {answer.text[:500]}")
    return (time.perf_counter() - began) * 1000 / PAYMENTS


async def run(world: World) -> list[BenchRow]:
    """Measure the rates with decisions against those without."""
    os.environ.update(world.stack.environment(), BURSAR_RISK_ENFORCED="false", BURSAR_LOG_LEVEL="WARNING")
    logs.configure(read_settings(), "api")
    draw = random.Random(1)
    names = [name for name, fact in FACTS.items() if fact.kind is int]
    owner = await asyncpg.connect(world.database_url)
    for number in range(RULES):
        one, other = draw.sample(names, 2)
        await owner.execute(_RULE, f"bench_{number}", f"{one} > 1000000 && {other} > {number} || amount > 100000000")
    await owner.execute(_MODEL, json.dumps(model(draw)))
    await owner.close()
    key = world.keys["client"]
    async with AsyncExitStack() as held:
        deciding, free = [await held.enter_async_context(_app(kind)) for kind in (Risk, _Undecided)]
        for http in (deciding, free):
            await _each_ms(http, key)
        with_ms, without_ms = await alternate(lambda: _each_ms(deciding, key), lambda: _each_ms(free, key), ROUNDS)
    rate = BenchRow(
        name="payments a second with 100 rules and a model, against none",
        value=1000 / with_ms,
        unit="/s",
        against="without decisions",
        baseline=1000 / without_ms,
        target=0.9,
    )
    return [rate]
