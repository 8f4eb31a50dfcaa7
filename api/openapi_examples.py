"""Valid examples of responses in the OpenAPI document: made from the schemas and from `openapi_story`.

The story has values that belong together: amounts that add up, the state after a command. Everything else is a value
that its name or its format gives. A field that neither knows is null if it can be, and `UNKNOWN` where it cannot,
which a test refuses: give it a word in `openapi_words`.
"""

from typing import Any

from api.openapi_story import OPERATIONS, SCHEMAS
from api.openapi_words import FORMATS, IDS, NUMBERS, SUFFIX, TIMES, WORDS

Json = dict[str, Any]

#: The example of a text without further constraints.
UNKNOWN = "…"
_DEPTH = 8


def add(document: Json) -> None:
    """Give each good answer in JSON an example, where it has none."""
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                media = response.get("content", {}).get("application/json")
                if status.startswith("2") and media is not None and not media.keys() & {"example", "examples"}:
                    made = _example(media["schema"], schemas, "", "", _DEPTH)
                    override = OPERATIONS.get(operation["operationId"])
                    media["example"] = made if override is None else _put_over(made, override)


def sent(schema: Json, schemas: dict[str, Json], name: str, owner: str) -> Any:
    """Return an example of what a request sends: of an object, the members that it requires."""
    if "$ref" in schema:
        owner = schema["$ref"].rpartition("/")[2]
        schema = schemas[owner]
    if "properties" in schema:
        required = schema.get("required", ())
        return {key: sent(each, schemas, key, owner) for key, each in schema["properties"].items() if key in required}
    if schema.get("type") == "array":
        return [sent(schema["items"], schemas, name, owner)]
    return _example(schema, schemas, name, owner, _DEPTH)


def _put_over(made: Any, override: Any) -> Any:
    """Merge the written example into the generated one, and each item of a written list into the first generated."""
    if isinstance(made, dict) and isinstance(override, dict):
        return made | {key: _put_over(made.get(key), value) for key, value in override.items()}
    if isinstance(made, list) and made and isinstance(override, list):
        return [_put_over(made[0], each) for each in override]
    return override


def _example(schema: Json, schemas: dict[str, Json], name: str, owner: str, depth: int) -> Any:
    if "$ref" in schema:
        owner = schema["$ref"].rpartition("/")[2]
        schema = schemas[owner]
    for given in ("const", "default"):
        if schema.get(given) is not None:
            return schema[given]
    for values in (schema.get("examples"), schema.get("enum")):
        if values:
            return values[0]
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        kept = [part for part in parts if part != {"type": "null"}]
        # What a page or an object can be without is mostly not there: the next page, a dispute.
        if len(kept) < len(parts) and (name == "next_cursor" or depth <= 0):
            return None
        return (
            None
            if len(kept) < len(parts) and _is_left_out(kept[0], name, owner)
            else _example(kept[0], schemas, name, owner, depth)
        )
    kind = schema.get("type")
    if kind == "object":
        overrides = SCHEMAS.get(owner, {})
        fields = schema.get("properties", {})
        return {key: _field(field, schemas, key, owner, overrides, depth - 1) for key, field in fields.items()}
    if kind == "array":
        return [] if depth <= 0 else [_example(schema.get("items", {}), schemas, name, owner, depth - 1)]
    number = NUMBERS.get(name, int(schema.get("minimum", 1)))
    plain = {"integer": number, "number": number, "boolean": False, "null": None}
    return plain[kind] if kind in plain else _text(schema, name, owner) if kind == "string" else {}


def _is_left_out(schema: Json, name: str, owner: str) -> bool:
    """Return whether what can be null is: an object, a time at which something ended, and a text without a word."""
    if schema.get("type") != "string":
        return "$ref" in schema
    if schema.get("format") == "date-time":
        return name not in TIMES
    return (
        "format" not in schema
        and name.removesuffix("_id") not in IDS
        and WORDS.get(f"{owner}.{name}", WORDS.get(name)) is None
    )


def _field(schema: Json, schemas: dict[str, Json], name: str, owner: str, overrides: Json, depth: int) -> Any:
    if name not in overrides:
        return _example(schema, schemas, name, owner, depth)
    if isinstance(overrides[name], dict | list):
        # A partly given value is made in full first, even if it may be left out or empty.
        kept = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
        whole = kept[0] if len(kept) == 1 else {key: value for key, value in schema.items() if key != "default"}
        return _put_over(_example(whole, schemas, name, owner, depth), overrides[name])
    return overrides[name]


def _text(schema: Json, name: str, owner: str) -> str | None:
    if f"{owner}.{name}" in WORDS:
        return WORDS[f"{owner}.{name}"]
    if schema.get("format") == "decimal":
        return WORDS.get(name.rpartition("_")[2], "50.00")
    if "format" in schema:
        return FORMATS.get(schema["format"], UNKNOWN)
    noun = owner.removesuffix("View").lower() if name == "id" else name.removesuffix("_id")
    if noun in IDS and (name == "id" or name.endswith("_id")):
        return f"{IDS[noun]}_{SUFFIX}"
    return WORDS.get(name, WORDS.get(name.rpartition("_")[2], UNKNOWN))
