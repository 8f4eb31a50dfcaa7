"""Replaying histories, and storing those that are kept."""

import json
import os
from collections.abc import Sequence
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


async def replay(
    history: WorkflowHistory, runner: WorkflowRunner | None = None, workflows: Sequence[type] = WORKFLOWS
) -> None:
    """Replay a history with the production converter; in the sandbox unless a runner is given."""
    replayer = Replayer(
        workflows=workflows,
        data_converter=production_converter(),
        plugins=[BursarPlugin()],
        workflow_runner=runner or UntriedSandbox(),
    )
    await replayer.replay_workflow(history)


async def replay_and_keep(history: WorkflowHistory, name: str) -> None:
    """Replay a fresh history; with BURSAR_RECORD_HISTORIES set, store it as `<workflow type>/<kind of end>`.

    Whoever calls this writes the name out: `test_replay.py` reads from the calls which histories are kept.
    """
    await replay(history)
    workflow_type = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    assert name.startswith(f"{workflow_type}/")
    if is_recording():
        path = FOLDER / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(history))


def is_recording() -> bool:
    return bool(os.environ.get("BURSAR_RECORD_HISTORIES"))


def stored() -> dict[str, Path]:
    """Return the files of the histories that are kept, by name."""
    return {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in sorted(FOLDER.glob("*/*.json"))}


def text(history: WorkflowHistory) -> str:
    """Return the JSON of a history, with one event a line."""
    events = without_identities(history.to_json_dict())["events"]
    return '{"events": [\n' + ",\n".join(map(json.dumps, events)) + "\n]}\n"


def without_identities(value: Any) -> Any:
    """Leave out which process on which machine did it, and where its files lay."""
    if isinstance(value, dict):
        hidden = HIDDEN | ({"name": "sticky"} if value.get("kind") == "TASK_QUEUE_KIND_STICKY" else {})
        return {k: hidden[k] if k in hidden else without_identities(v) for k, v in value.items()}
    return [without_identities(item) for item in value] if isinstance(value, list) else value
