"""A row of a LiteLLM proxy's spend log → a usage event. Pure.

The row is `LiteLLM_SpendLogs` of the proxy's schema, as `GET /spend/logs` and `GET /spend/logs/v2` show it. Whose it is
stands in one of its own fields as an id of ours: `organization_id`, `team_id` or `user`, which the proxy has of the key
of the call. What a caller of the proxy sets with its request (`metadata.spend_logs_metadata`, or `end_user`) names the
owner only where callers are trusted. The metadata may also name agent, run, step and action, and an agent of the
marketplace that was used by the call. What a call cost is rated here, from its tokens; what the proxy thought it cost
is kept beside it, and compared. Nothing that a caller sets reaches the event in a form that PostgreSQL cannot hold.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.common.errors import Invalid
from domain.common.ids import is_id
from domain.common.money import plain_number
from domain.common.text import is_storable, storable_json
from domain.privacy.card_numbers import redacted, without_card_numbers
from domain.usage.adapters.openai import searches_of, units_of
from domain.usage.adapters.reading import milliseconds, tier_of, uplifts_of
from domain.usage.event import MAX_ATTRIBUTE, PAYEE, is_text
from domain.usage.paid_call import SECRET
from domain.usage.token_usage import BATCH, MAX_NAME, MAX_QUANTITY, STANDARD

SOURCE = "platform:litellm"
TYPE = "llm.call"
#: The type of a row that is no inference, such as the read of a stored response: no meter of calls reads it.
MANAGEMENT = "llm.management"
#: The source and the type of the event of a use that is paid beside the call.
USES, USE = f"{SOURCE}:uses", "agent.use"
_DIGEST = "sha256:"

#: Whose the key of the call is, by the proxy.
_OWNERS = ("organization_id", "team_id", "user")
_NAMED = (
    *("agent_id", "project_id", "department_id", "run_id", "step_id", "parent_id", "action", "spend_id", SECRET),
    *(PAYEE, "quantity"),
)


def organization_of(row: Mapping[str, Any]) -> str | None:
    """Return whose call a row is by the key of the call; None if the key has no organization as its owner."""
    return _first_organization(row.get(name) for name in _OWNERS)


def claimed_organization(row: Mapping[str, Any]) -> str | None:
    """Return whose call a row is by what its caller says, which proves nothing; None if it names no organization."""
    return _first_organization((_said(row).get("organization_id"), row.get("end_user")))


def _first_organization(values: Iterable[object]) -> str | None:
    return next((value for value in values if isinstance(value, str) and is_id(value, "org")), None)


def claimed_spend(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the spend that a caller names, and its secret, which together prove who made the spend."""
    said = _said(row)
    spend, secret = said.get("spend_id"), said.get(SECRET)
    if not (isinstance(spend, str) and is_id(spend, "spd") and isinstance(secret, str) and _is_secret(secret)):
        return None
    return spend, secret


def started_at(row: Mapping[str, Any]) -> datetime | None:
    """Return when a call began; None where the row does not say."""
    value = row.get("startTime")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        # The proxy writes UTC, with and without saying so.
        return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def event_of(row: Mapping[str, Any], *, heard: bool = True) -> dict[str, Any]:
    """Return the event of a row, in the form in which events are sent; it is judged as any other.

    Args:
        row: of the log.
        heard: whether it has what the caller of the proxy said of it. Without, it is the call alone.
    """
    at = started_at(row)
    data = _attributed(row) if heard else _proven(row)
    data |= {name: row[field] for name, field in _CALL.items() if row.get(field)}
    data["litellm"] = {name: kept for name in _KEPT if (kept := _kept(row.get(name))) is not None}
    is_call = _is_inference(row)
    if is_call and _was_served(row):
        data["usage"] = usage_of(row)
        data |= _duration(row)
    else:
        # What has failed, was answered by the proxy's cache or is no inference costs nothing, by an agent's price
        # neither.
        data.pop(PAYEE, None)
    if plain_number(data.get("quantity", 1)) is None:
        # An agent is not paid for what nobody can count.
        data.pop(PAYEE, None)
    if PAYEE not in data:
        # Whoever calls the proxy says how many units only of what is paid by units.
        data.pop("quantity", None)
    # Whoever calls the proxy chooses most of it, and no body of ours was judged. Refused, the call would be free.
    document = {
        "specversion": "1.0",
        "id": _id(row.get("request_id")),
        "source": SOURCE,
        "type": TYPE if is_call else MANAGEMENT,
        "data": without_card_numbers(data),
    }
    return document if at is None else {**document, "time": at.isoformat()}


def use_of(call: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the event of a marketplace agent's use that the caller reported with a call; None without one.

    It stands beside the event of the call, which costs what its model costs, so that no call is cheap for a word. Its
    source is another one, so that no caller who chooses a call's id can give it that of a use.

    Args:
        call: the event of the row, with what its caller said.
    """
    if PAYEE not in call["data"]:
        return None
    said = {name: call["data"][name] for name in _NAMED if name in call["data"] and name not in {"spend_id", SECRET}}
    return {**call, "source": USES, "type": USE, "data": said}


def _id(request_id: object) -> object:
    """Return what a call is known by: its id in the log, or the digest of one that cannot be kept.

    That is one that is too long, not printable, or a card number.

    Callers may choose the id, so one that looks like a digest is hashed as well: no two calls are known by one.
    """
    if not isinstance(request_id, str) or not request_id:
        return request_id
    is_fit = is_text(request_id) and redacted(request_id) == request_id
    if is_fit and not request_id.startswith(_DIGEST):
        return request_id
    return _DIGEST + hashlib.sha256(request_id.encode(errors="surrogatepass")).hexdigest()


def _attributed(row: Mapping[str, Any]) -> dict[str, Any]:
    said = _said(row)
    data: dict[str, Any] = {name: said[name] for name in _NAMED if said.get(name) is not None}
    # Events are refused for what else is named and cannot be stored. The secret is no attribute, and nobody reads it.
    if SECRET in data and not _is_secret(data[SECRET]):
        del data[SECRET]
    if "agent_id" not in data and isinstance(row.get("agent_id"), str) and is_id(row["agent_id"], "agt"):
        data["agent_id"] = row["agent_id"]
    if "run_id" not in data and row.get("session_id"):
        data["run_id"] = row["session_id"]
    return data


def _proven(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the caller said that proves itself: the spend that has paid, with its secret and its action."""
    said = _attributed(row)
    spend, secret, action = (said.get(name) for name in ("spend_id", SECRET, "action"))
    if not (isinstance(spend, str) and is_id(spend, "spd") and secret is not None and _is_secret(action)):
        return {}
    return {"spend_id": spend, SECRET: secret, "action": action}


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ATTRIBUTE and is_storable(value)


def _kept(value: object) -> object:
    """Return what is kept beside an event as it stands; None where nothing is said that can be kept."""
    if isinstance(value, str):
        return storable_json(value) or None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool) or (isinstance(value, int | Decimal) and plain_number(value)) else None


def _duration(row: Mapping[str, Any]) -> dict[str, int]:
    """Return how long a call took; nothing of a batch, whose row is written when it is over."""
    begun, ended = started_at(row), started_at({"startTime": row.get("endTime")})
    if begun is None or ended is None or ended <= begun or row.get("call_type") in _BATCH:
        return {}
    return {"duration_ms": max(1, (ended - begun) // timedelta(milliseconds=1))}


_CALL = {"model": "model", "provider": "custom_llm_provider"}
_KEPT = ("call_type", "model_group", "spend", "status", "cache_hit")
#: What the proxy logs beside inference: reads and changes of what is stored. Providers do not charge them, but a read
#: repeats the usage of the call that made the response. By their names in LiteLLM 1.110.2 (`CallTypes`,
#: `NON_INFERENCE_CALL_TYPES`); asynchronous ones begin with `a`.
_MANAGEMENT = frozenset(
    prefix + name
    for prefix in ("", "a")
    for name in (
        *(f"{verb}_responses" for verb in ("get", "delete", "cancel")),
        *("list_input_items", "create_batch", "cancel_batch", "list_batches", "create_file"),
        *(f"file_{verb}" for verb in ("retrieve", "delete", "list", "content")),
        *(f"video_{verb}" for verb in ("retrieve", "content", "list", "delete", "retrieve_job", "get_character")),
        *(f"vector_store_{verb}" for verb in ("create", "retrieve", "list", "update", "delete")),
        *(f"vector_store_file_{verb}" for verb in ("create", "list", "retrieve", "content", "update", "delete")),
        *("list_containers", "retrieve_container", "delete_container", "list_container_files"),
        *("get_assistants", "create_assistants", "delete_assistant", "create_thread", "get_thread", "get_messages"),
        *("cancel_fine_tuning_job", "list_fine_tuning_jobs", "retrieve_fine_tuning_job"),
    )
)
#: The row that has the cost of a finished batch: the sums of all its calls. One of a batch that still runs has none.
_BATCH = ("retrieve_batch", "aretrieve_batch")
#: The totals of a row, and their names in answers that are not of chats.
_TOTALS = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens", "total_tokens": "total_tokens"}
#: Rows of the images endpoints, by the same names.
_PICTURES = frozenset({"image_generation", "image_edit", "image_variation"})


def _is_inference(row: Mapping[str, Any]) -> bool:
    kind = row.get("call_type")
    return not isinstance(kind, str) or not (kind in _MANAGEMENT or (kind in _BATCH and not _has_used(row)))


def usage_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call used, as `TokenUsage` has it, by the rules for answers of providers.

    The counts of the row are the totals; the usage that the proxy keeps of the answer has their parts, those totals
    that the row lacks, and says how the call was served, which decides the price too. A row is never refused: what
    cannot be read of it counts as text.
    """
    kind, seen = str(row.get("call_type")).removeprefix("a"), _mapping(_metadata(row).get("usage_object"))
    usage = _counts(seen)
    for name, other in _TOTALS.items():
        usage[name] = _count(row, name) or _count(usage, name) or _count(usage, other)
    units: dict[str, Any]
    try:
        units = units_of(usage, of_pictures=kind in _PICTURES, is_logged=True) | {"searches": searches_of({}, usage)}
    except Invalid:
        units = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    units |= {"pages": _count(usage, "pages_processed"), "input_ms": _milliseconds(seen), "requests": 1}
    units = {unit: count for unit, count in units.items() if count}
    tier, uplifts = tier_of(seen.get("service_tier")), uplifts_of(seen)
    if row.get("call_type") in _BATCH:
        # A thousand short prompts are no long one.
        units |= {"tier": BATCH, "is_sum": True}
    elif tier != STANDARD and len(tier) <= MAX_NAME:
        units["tier"] = tier
    if uplifts:
        units["uplifts"] = list(uplifts)
    return units


def _counts(document: Mapping[str, Any], deep: int = 2) -> dict[str, Any]:
    objects = {name: _counts(value, deep - 1) for name, value in document.items() if deep and _mapping(value)}
    numbers = {name: _number(document[name]) for name in document}
    return objects | {name: found for name, found in numbers.items() if found is not None and found <= MAX_QUANTITY}


def _milliseconds(seen: Mapping[str, Any]) -> int:
    """Return how much audio was read, where it is counted by its length."""
    name = "seconds" if seen.get("type") == "duration" else "prompt_audio_seconds"
    try:
        return milliseconds({name: Decimal(str(seen.get(name)))}, name)
    except (ArithmeticError, Invalid):
        return 0


def _was_served(row: Mapping[str, Any]) -> bool:
    """Return whether a provider served the call: not the proxy's own cache, and not an error that has used nothing.

    The proxy takes the status from what the caller wrote into the call's metadata, where that says `failure`.
    """
    if str(row.get("cache_hit")).lower() == "true":
        return False
    return row.get("status") != "failure" or _has_used(row)


def _has_used(row: Mapping[str, Any]) -> bool:
    spend = row.get("spend")
    has_cost = isinstance(spend, int | float | Decimal) and not isinstance(spend, bool) and spend > 0
    return has_cost or any(_count(row, name) for name in ("prompt_tokens", "completion_tokens"))


def has_unread_cost(data: Mapping[str, Any]) -> bool:
    """Return whether a call cost something at the proxy, of which nothing was read but that it was made."""
    used, kept = _mapping(data.get("usage")), _mapping(data.get("litellm"))
    return set(used) - {"tier", "uplifts", "is_sum"} == {"requests"} and _has_used({"spend": kept.get("spend")})


def _said(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_metadata(row).get("spend_logs_metadata"))


def _metadata(row: Mapping[str, Any]) -> Mapping[str, Any]:
    value = row.get("metadata")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return _mapping(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(document: Mapping[str, Any], name: str) -> int:
    return _number(document.get(name)) or 0


def _number(value: object) -> int | None:
    """Return a count; None where a value is none. Some write whole numbers with a decimal point."""
    if isinstance(value, float | Decimal) and math.isfinite(value) and 0 <= value <= MAX_QUANTITY and value % 1 == 0:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
