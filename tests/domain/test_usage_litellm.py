"""Rows of a LiteLLM proxy's spend log as events."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.usage.litellm import event_of, organization_of, started_at

ORG = "org_01kar6h2d8e4wvq3r5s7t9x1zy"
USE: dict[str, Any] = {"payee_agent_id": "agt_01kar6h2d8e4wvq3r5s7t9x1zy", "action": "page", "quantity": 3}
METADATA: dict[str, Any] = {
    "spend_logs_metadata": {"organization_id": ORG, "run_id": "run-1", "step_id": "s", **USE},
    "usage_object": {"completion_tokens": 20, "prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}},
    "status": None,
}
#: As LiteLLM 1.106.2 itself made it of a call (`get_logging_payload`), with what is of no matter here left out.
ROW: dict[str, Any] = {
    "request_id": "chatcmpl-7c9b6002-ba74-4f1f-92d3-8fadf5305e2c",
    "call_type": "acompletion",
    "cache_hit": "None",
    "startTime": "2026-11-21 08:16:43.382713+00:00",
    "model": "gpt-4o",
    "user": "",
    "team_id": "",
    "organization_id": "",
    "end_user": "",
    "spend": 0.00022500000000000002,
    "total_tokens": 30,
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "model_group": "",
    "custom_llm_provider": "openai",
    "agent_id": None,
    "session_id": "c0e7a218-902e-4c25-b692-0df13694795d",
    "status": "success",
}


@pytest.mark.parametrize("metadata", [METADATA, json.dumps(METADATA)], ids=["object", "text"])
def test_row_that_the_proxy_made_is_read_whole(metadata: Any) -> None:
    row = {**ROW, "metadata": metadata}
    assert organization_of(row) == ORG
    assert started_at(row) == datetime(2026, 11, 21, 8, 16, 43, 382713, tzinfo=UTC)
    event = event_of(row)
    assert (event["id"], event["source"], event["type"]) == (ROW["request_id"], "platform:litellm", "llm.call")
    assert event["data"] == {
        **USE,
        "run_id": "run-1",
        "step_id": "s",
        "model": "gpt-4o",
        "provider": "openai",
        "litellm": {"call_type": "acompletion", "spend": ROW["spend"], "status": "success", "cache_hit": "None"},
        "usage": {"input_tokens": 6, "cached_tokens": 4, "output_tokens": 20, "requests": 1},
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW, {"action": "page", "quantity": 0}),
        ({**ROW, "status": "failure"}, USE),
        ({**ROW, "cache_hit": "True"}, USE),
    ],
)
def test_units_are_said_only_of_a_use_that_a_provider_has_served(row: dict[str, Any], said: dict[str, Any]) -> None:
    data = event_of({**row, "metadata": {"spend_logs_metadata": said}})["data"]
    assert "quantity" not in data
    assert "payee_agent_id" not in data


@pytest.mark.parametrize("metadata", ["{", "[]", "null", 7, None])
def test_metadata_that_cannot_be_read_names_nobody(metadata: object) -> None:
    assert organization_of({**ROW, "metadata": metadata}) is None
    assert "step_id" not in event_of({**ROW, "metadata": metadata})["data"]
