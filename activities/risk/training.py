"""Trains a model that scores acts, on labelled decisions."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from temporalio import activity

from contracts.risk.training import TrainedModel, TrainModel
from providers import boosting
from repositories.risk import model as models
from runtime.database import Database
from runtime.heartbeat import heartbeats
from services.risk import training

ROOT = Path(__file__).resolve().parents[2]
#: Decisions of a page, which is one transaction, and about how many legitimate acts a model learns from.
PAGE, MOST = 1_000, 60_000


class RiskTrainingActivities:
    """The activity of `RiskTrainingWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role."""
        self._database = database

    @activity.defn
    async def train_model(self, message: TrainModel) -> TrainedModel:
        """Train a model on the older weeks, judge it by the later ones, and store it.

        Effect: a model, which replaces the challenger, and the champion if it is better. None without scikit-learn.
        Idempotent by: the run, which the report of the model names.
        Fails with: an outage of the database, or an error of the process that trains; both are retried.
        """
        if not boosting.is_installed():
            return TrainedModel(reason="scikit-learn is not installed in this worker, so the rules decide alone.")
        async with self._database.platform() as session:
            if (row := await models.of_run(session, message.run)) is not None:
                return _result(row.report, row.version, row.status)
            champion = await models.champion(session)
            every = await models.sampled_every(session, MOST)
        header = {"now": message.now.isoformat(), "champion": None if champion is None else champion.document}
        async with heartbeats():
            trained = await self._trained(header, message.now, every)
        if trained["document"] is None:
            return _result(trained["report"])
        async with self._database.platform() as session:
            row = await training.store(session, trained, message.run, message.now)
            return _result(row.report, row.version, row.status)

    async def _trained(self, header: Mapping[str, Any], now: datetime, every: int) -> dict[str, Any]:
        """Train in a process of its own; it ends with this activity."""
        arguments = (sys.executable, "-m", training.__name__)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *arguments, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        try:
            # It closes its input only if it fails, and then its error says why.
            with suppress(ConnectionError):
                await self._send(process, header, now, every)
            output, error = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"The training failed: {error.decode()[-2_000:]}")
        trained: dict[str, Any] = json.loads(output)
        return trained

    async def _send(self, process: Process, header: Mapping[str, Any], now: datetime, every: int) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{json.dumps(header)}\n".encode())
        after: str | None = ""
        while after is not None:
            async with self._database.platform() as session:
                lines, after = await models.labelled(session, after=after, every=every, now=now, most=PAGE)
            # One line of JSON each: PostgreSQL writes no line breaks outside of texts, and escapes those within.
            process.stdin.write("".join(f"{line}\n" for line in lines).encode())
            await process.stdin.drain()
        process.stdin.close()


def _result(report: Mapping[str, Any], version: int | None = None, status: str = "") -> TrainedModel:
    contenders = [(name, report[name]) for name in ("rules", "champion", "challenger") if name in report]
    figures = [
        f"{name}: {_percent(each['recall_e4'])} of frauds at {_percent(each['false_positives_e4'])} false positives"
        for name, each in contenders
    ]
    if "newcomers" in report:
        new, old = report["newcomers"]["false_positives_e4"], report["newcomers"]["others_e4"]
        figures.append(f"false positives: {_percent(new)} of newcomers, {_percent(old)} of others")
    return TrainedModel(
        version=version,
        status=status,
        reason=report["reason"],
        acts=report["acts"],
        frauds=report["frauds"],
        figures=tuple(figures),
    )


def _percent(share_e4: int) -> str:
    return f"{share_e4 // 100}.{share_e4 % 100:02} %"
