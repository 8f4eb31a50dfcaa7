"""PayPal's published OpenAPI documents as a check of exchanges, where `BURSAR_PAYPAL_OPENAPI` names their directory.

The documents are not part of the repository. A field that they do not know is a mismatch in requests and in answers
that are a success; of errors only what they say of envelopes and issues is checked. PayPal's sentences for people are
not compared.
"""

import functools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs

Schema = dict[str, Any]
#: Keys of OpenAPI 3.0 that JSON Schema does not have, or reads otherwise.
FOREIGN = {"description", "example", "examples", "readOnly", "writeOnly", "deprecated", "title", "format", "default"}
NAMES = ("checkout_orders_v2", "payments_payment_v2", "notifications_webhooks_v1")


@functools.cache
def published(directory: str) -> "Published":
    return Published(Path(directory))


class Published:
    """All operations of the documents."""

    def __init__(self, directory: Path) -> None:
        self.documents = {name: json.loads((directory / f"{name}.json").read_text()) for name in NAMES}
        self.checked: Counter[str] = Counter()
        self._operations = [
            (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation, name)
            for name, document in self.documents.items()
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        self._validators: dict[tuple[str, str, bool], jsonschema_rs.Validator] = {}

    def mismatches(self, request: httpx2.Request, response: httpx2.Response) -> list[str]:
        for method, path, operation, name in self._operations:
            if method == request.method and path.fullmatch(request.url.path):
                where = f"{operation['operationId']} {response.status_code}"
                self.checked[where] += 1
                return [f"{where}: {what}" for what in self._operation(operation, name, request, response)]
        return []

    def event(self, event: object) -> list[str]:
        self.checked["event"] += 1
        return self._check({"$ref": "#/components/schemas/event"}, "notifications_webhooks_v1", event, strict=True)

    def resource(self, schema: str, document: str, resource: object) -> list[str]:
        self.checked[f"resource {schema}"] += 1
        return self._check({"$ref": f"#/components/schemas/{schema}"}, document, resource, strict=True)

    def _operation(self, operation: Schema, name: str, request: httpx2.Request, response: httpx2.Response) -> list[str]:
        wrong = self._headers(operation, name, request)
        if request.content and response.is_success:
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            wrong += [f"request{what}" for what in self._check(schema, name, json.loads(request.content), strict=True)]
        answers = operation["responses"]
        if response.status_code >= 500:
            return wrong
        if str(response.status_code) not in answers and response.is_success:
            return [*wrong, "a status that is not documented"]
        answer = self._resolve(answers.get(str(response.status_code), answers["default"]), name)
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [*wrong, *(["a body that is not documented"] if response.content else [])]
        if response.status_code == 429:  # not in PayPal's list of error envelopes
            return wrong
        found = self._check(schema, name, response.json(), strict=response.is_success)
        return wrong + [f"answer{what}" for what in found]

    def _headers(self, operation: Schema, name: str, request: httpx2.Request) -> list[str]:
        parameters = [self._resolve(parameter, name) for parameter in operation.get("parameters", [])]
        known = {parameter["name"].lower(): parameter for parameter in parameters if parameter["in"] == "header"}
        sent = {key: value for key, value in request.headers.items() if key.startswith(("paypal-", "prefer"))}
        wrong = [f"header {key} is not documented" for key in sent.keys() - known.keys()]
        for key in sent.keys() & known.keys():
            wrong += [f"header {key}{what}" for what in self._check(known[key]["schema"], name, sent[key], strict=True)]
        return wrong

    def _check(self, schema: Schema, name: str, value: object, *, strict: bool) -> list[str]:
        if not schema:
            return [] if not value else ["/: a body that is not documented"]
        key = json.dumps(schema, sort_keys=True), name, strict
        if key not in self._validators:
            parts = self.documents[name]["components"]["schemas"]
            converted = self._convert(schema, name, strict=strict)
            defs = {part: self._convert(body, name, strict=strict, top=False) for part, body in parts.items()}
            whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": defs, "allOf": [converted]}
            self._validators[key] = jsonschema_rs.validator_for(whole)
        return [
            f" /{'/'.join(str(step) for step in error.instance_path)}: {error.message[:300]}"
            for error in self._validators[key].iter_errors(value)
        ]

    def _convert(self, schema: Any, name: str, *, strict: bool, top: bool = True) -> Any:
        """Convert to JSON Schema 2020-12; `top` where a whole value is described, not a branch of an `allOf`."""
        if not isinstance(schema, dict):
            return schema
        result: Schema = {key: value for key, value in schema.items() if key not in FOREIGN | {"nullable"}}
        if "$ref" in result:
            result = {"$ref": result["$ref"].replace("#/components/schemas/", "#/$defs/")}
        for key in ("allOf", "anyOf", "oneOf"):
            if key in result:
                result[key] = [self._convert(branch, name, strict=strict, top=False) for branch in result[key]]
        if "properties" in result:
            result["properties"] = {
                key: self._convert(value, name, strict=strict) for key, value in result["properties"].items()
            }
            for sentence in {"message", "description"} & result["properties"].keys():
                result["properties"][sentence].pop("enum", None)
        if "items" in result:
            result["items"] = self._convert(result["items"], name, strict=strict)
        if strict and top and self._is_closed_object(schema, name):
            result["unevaluatedProperties"] = False
        return result

    def _is_closed_object(self, schema: Schema, name: str) -> bool:
        schema = self._resolve(schema, name)
        if schema.get("additionalProperties"):
            return False
        branches = [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, [])]
        return "properties" in schema or any(self._is_closed_object(branch, name) for branch in branches)

    def _resolve(self, schema: Schema, name: str) -> Schema:
        while "$ref" in schema:
            found: Any = self.documents[name]
            for step in schema["$ref"].split("/")[1:]:
                found = found[step]
            schema = found
        return schema
