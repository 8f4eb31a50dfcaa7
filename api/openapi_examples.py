"""Examples of good answers in the OpenAPI document, made from their schemas: each is valid against its own."""

from typing import Any

Json = dict[str, Any]

_SUFFIX = "01kar6h2d8e4wvq3r5s7t9x1zy"
#: How ids begin, by the field that holds one, or by the schema whose `id` it is.
_IDS = {
    **{"organization": "org", "agent": "agt", "contract": "ctr", "escrow": "esc", "payment": "pay", "invoice": "inv"},
    **{"department": "dep", "project": "prj", "key": "key", "quote": "quo", "event": "evt", "control": "ctl"},
    **{"apikey": "key", "payer_org": "org", "payee_org": "org", "payee_agent": "agt", "outboxevent": "evt"},
    **{"transfer": "trf", "request": "req"},
}
#: Values by the last word of a field's name.
_WORDS = {
    **dict.fromkeys(("amount", "available", "total", "price", "balance", "reserved", "remaining", "spent"), "50.00"),
    **dict.fromkeys(("subtotal", "net", "cost", "paid", "due", "limit", "earned", "granted"), "50.00"),
    **dict.fromkeys(("share", "threshold", "score", "rate"), "0.80"),
    **dict.fromkeys(("period", "within", "grace"), "P7D"),
    **dict.fromkeys(("by", "principal", "actor", "signatory", "signatories"), "procurement"),
    **dict.fromkeys(("url", "uri"), "https://example.com/"),
    **{"currency": "CREDIT", "asset": "CREDIT", "country": "DE", "language": "en", "zone": "Europe/Berlin"},
    **{"email": "billing@acme.example", "cursor": "WyJlc2MiXQ", "name": "Acme", "title": "Summarise the report"},
}
_FORMATS = {"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "email": "billing@acme.example"}
_DEPTH = 8


def add(document: Json) -> None:
    """Give each good answer in JSON an example, where it has none."""
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                media = response.get("content", {}).get("application/json")
                if status.startswith("2") and media is not None and not media.keys() & {"example", "examples"}:
                    media["example"] = _example(media["schema"], schemas, "", "", _DEPTH)


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
        if len(kept) < len(parts) and (name == "next_cursor" or depth <= 0 or "$ref" in kept[0]):
            return None
        return _example(kept[0], schemas, name, owner, depth)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return {key: _example(field, schemas, key, owner, depth - 1) for key, field in fields.items()}
    if kind == "array":
        return [] if depth <= 0 else [_example(schema.get("items", {}), schemas, name, owner, depth - 1)]
    plain = {"integer": schema.get("minimum", 1), "number": 1, "boolean": False, "null": None}
    return plain[kind] if kind in plain else _text(schema, name, owner) if kind == "string" else {}


def _text(schema: Json, name: str, owner: str) -> str:
    if schema.get("format") == "decimal":
        return _WORDS.get(name.rpartition("_")[2], "50.00")
    if "format" in schema:
        return _FORMATS.get(schema["format"], "…")
    noun = owner.removesuffix("View").lower() if name == "id" else name.removesuffix("_id")
    if noun in _IDS and (name == "id" or name.endswith("_id")):
        return f"{_IDS[noun]}_{_SUFFIX}"
    return _WORDS.get(name.rpartition("_")[2], "…")
