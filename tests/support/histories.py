"""Replaying histories, and keeping those that are not stored yet."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer, WorkflowRunner

from runtime.settings import Settings
from runtime.temporal import BursarPlugin, data_converter
from tests.support.sandbox import UntriedSandbox
from workflows.registry import WORKFLOWS

FOLDER = Path(__file__).resolve().parents[1] / "workflows" / "histories"
HIDDEN = {"identity": "recorder", "stackTrace": ""}


@cache
def production_converter() -> DataConverter:
    """The converter of a process with the usual settings, which take longer to make than many a replay."""
    return data_converter(Settings())


async def replay(history: WorkflowHistory, runner: WorkflowRunner | None = None) -> None:
    """Replay a history with the production converter; in the sandbox unless a runner is given."""
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=production_converter(),
        plugins=[BursarPlugin()],
        workflow_runner=runner or UntriedSandbox(),
    )
    await replayer.replay_workflow(history)


async def replay_and_keep(history: WorkflowHistory, name: str) -> None:
    """Replay a fresh history; with BURSAR_RECORD_HISTORIES set, store it unless one of that name is stored."""
    await replay(history)
    path = FOLDER / f"{name}.json"
    if os.environ.get("BURSAR_RECORD_HISTORIES") and not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(without_identities(history.to_json_dict()), indent=1) + "\n")


def without_identities(value: Any) -> Any:
    """Leave out which process on which machine did it, and where its files lay."""
    if isinstance(value, dict):
        return {k: HIDDEN[k] if k in HIDDEN else without_identities(v) for k, v in value.items()}
    return [without_identities(item) for item in value] if isinstance(value, list) else value
