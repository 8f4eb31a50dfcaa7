"""Rows of a LiteLLM proxy's spend log as events."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.usage.litellm import (
    claimed_organization,
    claimed_spend,
    event_of,
    organization_of,
    started_at,
    use_of,
)
from domain.usage.prices import make_price
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from tests.support.cases import for_each

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
def test_proxy_row_is_read_completely(metadata: Any) -> None:
    row = {**ROW, "metadata": metadata}
    assert (organization_of(row), claimed_organization(row)) == (None, ORG)
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
    ("changes", "duration"),
    [
        ({"endTime": "2026-11-21T08:16:45.132713+00:00"}, {"duration_ms": 1750}),
        ({"endTime": "2026-11-21T08:16:43.382714+00:00"}, {"duration_ms": 1}),
        ({"endTime": "2026-11-21T08:16:43.382713+00:00"}, {}),
        ({"endTime": "soon"}, {}),
        ({"endTime": "2026-11-21T08:16:45+00:00", "cache_hit": "True"}, {}),
        ({"endTime": "2026-11-21T09:16:45+00:00", "call_type": "aretrieve_batch"}, {}),
    ],
)
def test_call_has_the_providers_latency(changes: dict[str, str], duration: dict[str, int]) -> None:
    data = event_of({**ROW, "metadata": METADATA, **changes})["data"]
    assert {name: data[name] for name in data if name == "duration_ms"} == duration


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "soon", 1_764_000_000, None])
def test_row_with_an_impossible_time_has_no_time(at: Any) -> None:
    row = {**ROW, "startTime": at}
    assert started_at(row) is None
    assert "time" not in event_of(row)


def test_call_is_priced_by_how_it_was_served() -> None:
    def usage(**said: Any) -> dict[str, Any]:
        return dict(event_of({**ROW, "metadata": {"usage_object": said}})["data"]["usage"])

    plain = {"input_tokens": 10, "output_tokens": 20, "requests": 1}
    assert usage(service_tier="priority", speed="fast", inference_geo="us") == {
        **plain,
        "tier": "priority",
        "uplifts": ["geo:us", "speed:fast"],
    }
    assert usage(service_tier="default", speed="standard", inference_geo="not_available") == plain
    assert usage(service_tier="x" * 100, speed=7, inference_geo=["us"]) == plain


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW, {"action": "page", "quantity": 0}),
        ({**ROW, "status": "failure", "prompt_tokens": 0, "completion_tokens": 0, "spend": 0}, USE),
        ({**ROW, "cache_hit": "True"}, USE),
    ],
)
def test_units_are_reported_only_for_served_calls(row: dict[str, Any], said: dict[str, Any]) -> None:
    data = event_of({**row, "metadata": {"spend_logs_metadata": said}})["data"]
    assert "quantity" not in data
    assert "payee_agent_id" not in data


@for_each("secret", ["\x00", "\ud800", "s\x07", "", "s" * 201, math.nan, 7, {"a": "\x00"}, ["s"]])
def test_unstorable_secret_is_ignored(secret: object) -> None:
    said = {"spend_secret": secret, "run_id": "r"}
    data = event_of({**ROW, "metadata": {"spend_logs_metadata": said}})["data"]
    assert "spend_secret" not in data
    assert data["run_id"] == "r"
    said["spend_secret"] = "a-secret"
    assert event_of({**ROW, "metadata": {"spend_logs_metadata": said}})["data"]["spend_secret"] == "a-secret"


@pytest.mark.parametrize("quantity", [math.nan, math.inf, Decimal("NaN"), Decimal("1E+999999999"), "\x00", [1], True])
def test_agent_is_not_paid_for_an_invalid_quantity(quantity: object) -> None:
    row = {**ROW, "metadata": {"spend_logs_metadata": {**USE, "run_id": "r", "quantity": quantity}}}
    data = event_of(row)["data"]
    assert data.keys() & {"quantity", "payee_agent_id"} == set()
    assert data["run_id"] == "r"


def test_proxy_fields_are_made_storable() -> None:
    odd = {"model_group": "a\x00\ud800", "spend": math.nan, "call_type": {"a": 1}, "status": ["\x00"], "cache_hit": ""}
    assert event_of({**ROW, **odd})["data"]["litellm"] == {"model_group": "a\ufffd\ufffd"}
    odd = {"model_group": None, "spend": Decimal("1E+999999999"), "status": "failure", "cache_hit": False}
    expected = {"call_type": "acompletion", "status": "failure", "cache_hit": False}
    assert event_of({**ROW, **odd}, heard=False)["data"]["litellm"] == expected


@pytest.mark.parametrize("metadata", ["{", "[]", "null", 7, None, "[" * 100_000])
def test_unreadable_metadata_names_no_agent(metadata: object) -> None:
    row = {**ROW, "metadata": metadata}
    assert (organization_of(row), claimed_organization(row), claimed_spend(row)) == (None, None, None)
    assert "step_id" not in event_of({**ROW, "metadata": metadata})["data"]


def test_action_named_by_the_caller_does_not_change_the_call() -> None:
    said = {**USE, "spend_id": "spd_01kar6h2d8e4wvq3r5s7t9x1zy", "spend_secret": "s"}
    row = {**ROW, "metadata": {**METADATA, "spend_logs_metadata": said}}
    call = event_of(row)
    use = use_of(call)
    assert use is not None
    assert call["data"]["usage"] == event_of({**ROW, "metadata": METADATA})["data"]["usage"]
    assert (use["id"], use["type"], use["time"]) == (call["id"], "agent.use", call["time"])
    # A call of that id would otherwise be known already, and free.
    assert use["source"] != call["source"]
    assert {"payee_agent_id", "action", "quantity"} <= set(use["data"])
    assert not {"usage", "model", "spend_id", "spend_secret"} & set(use["data"])
    assert use_of(event_of(ROW)) is None
    assert use_of(event_of({**row, "cache_hit": "True"})) is None


def test_call_ids_are_unique_whatever_callers_choose() -> None:
    long = event_of({**ROW, "request_id": "x" * 201})["id"]
    assert event_of({**ROW, "request_id": long})["id"] not in {long, None}


def test_call_with_usage_counts_as_served_whatever_its_status() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "spend": 0}
    for row, served in (({}, True), ({"prompt_tokens": 0, "completion_tokens": 0}, True), (nothing, False)):
        assert ("usage" in event_of({**ROW, "status": "failure", **row})["data"]) is served


def test_callers_card_number_is_not_in_the_event_and_the_call_stays_distinct() -> None:
    card = "4242 4242 4242 4242"
    rows = [
        {**ROW, "session_id": card},
        {**ROW, "metadata": {"spend_logs_metadata": {"step_id": card}}},
        *({**ROW, "request_id": each} for each in (card, "5555 5555 5555 4444")),
    ]
    events = [event_of(row) for row in rows]
    assert [card in str(event) for event in events] == [False] * 4
    assert len({event["id"] for event in events}) == 3
    assert events[0]["data"]["usage"] == {"input_tokens": 10, "output_tokens": 20, "requests": 1}


@for_each("name", ["organization_id", "team_id", "user"])
def test_owner_of_the_key_is_the_owner_of_the_call(name: str) -> None:
    row = {**ROW, name: ORG, "end_user": ORG[:-1] + "w"}
    assert (organization_of(row), claimed_organization(row)) == (ORG, ORG[:-1] + "w")


@for_each("kind", ["aget_responses", "get_responses", "alist_input_items", "acreate_batch", "afile_content"])
def test_non_inference_row_has_no_usage(kind: str) -> None:
    event = event_of({**ROW, "call_type": kind, "metadata": {"spend_logs_metadata": USE}})
    assert event["type"] == "llm.management"
    assert event["data"].keys() & {"usage", "payee_agent_id", "quantity"} == set()
    assert event["data"]["litellm"]["call_type"] == kind


PRICE = make_price(
    model="m",
    provider="openai",
    currency="USD",
    version="1",
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    tiers={
        "standard": [(0, {"input_tokens": "0.000002"}), (200_000, {"input_tokens": "0.000004"})],
        "batch": [(0, {"input_tokens": "0.000001"}), (200_000, {"input_tokens": "0.000002"})],
    },
)


@pytest.mark.parametrize(
    ("kind", "dollars"), [("acompletion", "4.5"), ("aretrieve_batch", "1.125"), ("retrieve_batch", "1.125")]
)
def test_batch_is_priced_per_call(kind: str, dollars: str) -> None:
    """Calculated: 1,125,000 tokens of many prompts at 1 M; of one prompt above 200,000 at 4 M."""
    used = event_of({**ROW, "call_type": kind, "prompt_tokens": 1_125_000, "completion_tokens": 0})["data"]["usage"]
    assert rate(TokenUsage.from_json(used), PRICE).amount_pico == int(Decimal(dollars) * 10**12)


def test_running_batch_is_not_a_call() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "spend": 0}
    assert event_of({**ROW, **nothing, "call_type": "aretrieve_batch"})["type"] == "llm.management"


def test_row_has_the_separately_charged_units() -> None:
    """As LiteLLM 1.110.2 keeps them (`PromptTokensDetailsWrapper`, `CacheCreationTokenDetails`)."""
    details = {
        "cached_tokens": 30,
        "cached_tokens_details": {"audio_tokens": 10, "image_tokens": 5},
        "audio_tokens": 40,
        "image_tokens": 20,
        "video_tokens": 7,
        "cache_write_tokens": 60,
        "cache_creation_token_details": {
            "ephemeral_30m_input_tokens": 10,
            "ephemeral_1h_input_tokens": 20,
            "ephemeral_12h_input_tokens": 30,
        },
    }
    seen = {"prompt_tokens_details": details, "completion_tokens_details": {"video_tokens": 3}}
    row = {**ROW, "prompt_tokens": 200, "completion_tokens": 20, "metadata": {"usage_object": seen}}
    assert event_of(row)["data"]["usage"] == {
        "input_tokens": 58,
        "cached_tokens": 15,
        "cache_write_tokens": 10,
        "cache_write_1h_tokens": 20,
        "cache_write_12h_tokens": 30,
        "audio_input_tokens": 30,
        "cached_audio_tokens": 10,
        "image_input_tokens": 15,
        "cached_image_tokens": 5,
        "video_input_tokens": 7,
        "output_tokens": 17,
        "video_output_tokens": 3,
        "requests": 1,
    }
