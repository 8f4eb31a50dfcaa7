"""Parameters as they come over the wire, made what the operation's schema says, or refused as Stripe refuses."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from dev.sandbox.stripe import schemas
from dev.sandbox.stripe.errors import Refusal, invalid

Schema = dict[str, Any]
INTEGER = re.compile(r"-?\d{1,18}")
NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,12})?")
MAX_METADATA_KEYS, MAX_METADATA_KEY, MAX_METADATA_VALUE, MAX_STRING = 50, 40, 500, 5000


def decoded(text: str) -> dict[str, Any]:
    """Returns form-encoded text as nested dictionaries; `a[b][0]=c` is `{"a": {"b": {"0": "c"}}}`."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = name.split("[")
        steps = [head, *(part.rstrip("]") for part in rest)]
        place = found
        for step in steps[:-1]:
            inner = place.setdefault(step or str(len(place)), {})
            if not isinstance(inner, dict):
                raise invalid(f"Invalid hash: {name}", param=name)
            place = inner
        place[steps[-1] or str(len(place))] = value
    return found


def checked(operation: schemas.Operation, raw: dict[str, Any]) -> dict[str, Any]:
    """Returns the parameters of an operation with the types of its schema.

    Raises:
        Refusal: One is unknown, missing or of another type.
    """
    params: dict[str, Any] = typed(operation.schema, raw)
    if not operation.validator.is_valid(params):
        explain(operation.schema, params, "")
        raise invalid("Invalid request parameters.")
    limit_strings(params, "")
    return params


def typed(schema: Schema, value: Any) -> Any:
    """Returns what was sent with the types that a schema asks for; what does not fit stays as it is."""
    schema = variant(schema, value)
    if isinstance(value, dict):
        if schema.get("type") == "array":
            return [typed(schema["items"], value[key]) for key in sorted(value, key=position)]
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: typed(known.get(key, other), inner) for key, inner in value.items()}
    kind = schema.get("type")
    if kind == "integer" and INTEGER.fullmatch(value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "number" and NUMBER.fullmatch(value):
        return json.loads(value)
    return value


def position(key: str) -> tuple[int, str]:
    """Orders the keys of an array as numbers."""
    return (int(key), "") if key.isdigit() else (1 << 30, key)


def variant(schema: Schema, value: Any) -> Schema:
    """Returns the alternative of a union that fits the form of a value best, the schema itself where there is none."""
    choices = schema.get("anyOf")
    if choices is None:
        return schema
    if isinstance(value, dict):
        wanted = ("array", "object") if value and all(key.isdigit() for key in value) else ("object", "array")
        return next((each for kind in wanted for each in choices if each.get("type") == kind), choices[0])
    if isinstance(value, list):
        return next((each for each in choices if each.get("type") == "array"), choices[0])
    for each in choices:
        if value in each.get("enum", ()) or (isinstance(value, bool) and each.get("type") == "boolean"):
            return each  # type: ignore[no-any-return]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    fits = {"integer": bool(INTEGER.fullmatch(text)), "boolean": text in ("true", "false"), "string": True}
    for kind in ("integer", "boolean", "string"):
        if fits[kind] and any(each.get("type") == kind for each in choices):
            return next(each for each in choices if each.get("type") == kind)
    apt = [each for each in choices if each.get("enum") != [""]]
    return next((each for each in apt if each.get("type") != "object"), apt[0])


def explain(schema: Schema, value: Any, name: str) -> None:
    """Raises the refusal for the first thing in a value that a schema does not allow."""
    schema = variant(schema, value)
    kind = schema.get("type")
    if kind == "object":
        explain_object(schema, value, name)
    elif kind == "array":
        if not isinstance(value, list):
            raise invalid("Invalid array", param=name)
        for index, inner in enumerate(value):
            explain(schema["items"], inner, f"{name}[{index}]")
    elif kind == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        if value == "":
            raise empty(name)
        raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
    elif kind == "boolean" and not isinstance(value, bool):
        raise invalid(f"Invalid boolean: {value}", param=name)
    elif kind == "string" and not isinstance(value, str):
        code = "parameter_invalid_string_empty" if value is None else "parameter_invalid_string"
        raise invalid("Invalid string: " + str(value), param=name, code=code)
    elif "enum" in schema and value not in schema["enum"]:
        known = [str(each) for each in schema["enum"] if each != ""]
        listed = known[0] if len(known) == 1 else ", ".join(known[:-1]) + f" or {known[-1]}"
        raise invalid(f"Invalid {name}: must be one of {listed}", param=name)


def explain_object(schema: Schema, value: Any, name: str) -> None:
    """Raises the refusal for the first member of an object that is unknown, missing or wrong."""
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=name)
    known, other = schema.get("properties", {}), schema.get("additionalProperties")
    inside = (lambda key: f"{name}[{key}]") if name else (lambda key: key)
    if other is False:
        unknown = [inside(key) for key in value if key not in known]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
            raise invalid(message, param=unknown[0], code="parameter_unknown")
    for key in schema.get("required", ()):
        if key not in value:
            raise invalid(f"Missing required param: {inside(key)}.", param=inside(key), code="parameter_missing")
    for key, inner in value.items():
        explain(known.get(key, other if isinstance(other, dict) else {}), inner, inside(key))


def demand_only(params: dict[str, Any], noun: str, *names: str) -> None:
    """Refuses parameters that Stripe takes and this sandbox does not yet, rather than taking and forgetting them."""
    for name in params:
        if name not in names:
            raise invalid(f"This sandbox does not have the parameter {name} of {noun} yet.", param=name)


def empty(name: str) -> Refusal:
    """Returns the refusal for an empty string where a value is needed."""
    return invalid(
        f"You passed an empty string for '{name}'. Empty values unset a parameter, and '{name}' cannot be unset.",
        param=name,
        code="parameter_invalid_empty",
    )


def limit_strings(value: Any, name: str) -> None:
    """Refuses strings and metadata beyond Stripe's limits."""
    if isinstance(value, dict):
        for key, inner in value.items():
            inside = f"{name}[{key}]" if name else key
            if key == "metadata" and isinstance(inner, dict):
                limit_metadata(inner, inside)
            else:
                limit_strings(inner, inside)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            limit_strings(inner, f"{name}[{index}]")
    elif isinstance(value, str) and len(value) > MAX_STRING:
        message = f"Invalid string: {value[:10]}...; must be at most {MAX_STRING} characters"
        raise invalid(message, param=name, code="parameter_invalid_string_length")


def limit_metadata(metadata: dict[str, str], name: str) -> None:
    """Refuses metadata with too many keys, or too long ones or values."""
    if len(metadata) > MAX_METADATA_KEYS:
        raise invalid(f"Metadata can have at most {MAX_METADATA_KEYS} keys.", param=name)
    for key, value in metadata.items():
        if len(key) > MAX_METADATA_KEY:
            message = f"Invalid metadata key: {key}; keys must be at most {MAX_METADATA_KEY} characters"
            raise invalid(message, param=name)
        if len(value) > MAX_METADATA_VALUE:
            message = f"Metadata values can have up to {MAX_METADATA_VALUE} characters, but you passed {len(value)}."
            raise invalid(message, param=f"{name}[{key}]")


def merged_metadata(present: dict[str, str], sent: dict[str, str] | str) -> dict[str, str]:
    """Returns metadata after an update: named keys are set, empty ones unset, and an empty string unsets all."""
    if isinstance(sent, str):
        return {}
    return {key: value for key, value in {**present, **sent}.items() if value != ""}


def merge(obj: dict[str, Any], params: dict[str, Any], *names: str) -> dict[str, Any]:
    """Updates fields of an object from parameters of the same name, and metadata by its own rules.

    An empty string unsets a field. Returns the former values of the fields that have changed, as events carry them.
    """
    previous: dict[str, Any] = {}
    for name in names:
        if name in params:
            value = None if params[name] == "" else params[name]
            if value != obj.get(name):
                previous[name] = obj.get(name)
            obj[name] = value
    if "metadata" in params:
        former = obj.get("metadata") or {}
        obj["metadata"] = merged_metadata(former, params["metadata"])
        if obj["metadata"] != former:
            keys = {key for key in {*former, *obj["metadata"]} if former.get(key) != obj["metadata"].get(key)}
            previous["metadata"] = {key: former.get(key) for key in sorted(keys)}
    return previous
