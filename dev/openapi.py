"""The released OpenAPI document, and what a change of the API would break for clients of it.

`python -m dev.openapi` writes the document of this code to `docs/openapi.json`, which is what was promised: additions
need no more than that, and what breaks is listed and not written, unless `--break` says that it is meant.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI

from api.app import create_app
from runtime.settings import Settings

RELEASED = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
WAY_OUT = (
    "Keep the old form beside the new one, and end it as docs/reference/decisions/api.md#0129 says. "
    "Where nobody can depend on it: make openapi ARGS=--break."
)

Json = dict[str, Any]
#: Which way a message goes: a request may promise more than before, an answer may not promise less.
Way = Literal["request", "answer"]

_NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"
_ANYTHING = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
#: Limits of what a request may hold: those that must not rise, and those that must not fall.
_LOWER = ("minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties")
_UPPER = ("maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties")


def application() -> FastAPI:
    """Return an API of this code that serves everything on one port. Nothing is connected to."""
    settings = Settings(database_url=_NOWHERE, platform_database_url=_NOWHERE, temporal_address="127.0.0.1:1")
    return create_app(settings.model_copy(update={"private_port": 0, "public_url": None}))


def served() -> Json:
    """Return the document of this code."""
    return application().openapi()


def released() -> Json:
    """Return the document that was released last."""
    document: Json = json.loads(RELEASED.read_text("utf-8"))
    return document


def breaks(old: Json, new: Json) -> list[str]:
    """Say in one sentence each what a client of the old document loses by the new one."""
    return list(dict.fromkeys(_Comparison(old, new).run()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        #: Pairs of schemas under comparison or done, by name: schemas refer to themselves.
        self._seen: set[tuple[str, str, Way]] = set()

    def run(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method, old in methods.items():
                name, new = f"{method.upper()} {path}", self._new["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{name} is gone."
                    continue
                if old["operationId"] != new["operationId"]:
                    yield f"{name} was called {old['operationId']} and is called {new['operationId']} now."
                if new.get("security") and not old.get("security"):
                    yield f"{name} asks for a key now."
                yield from self._parameters(name, old, new)
                yield from self._body(name, old.get("requestBody"), new.get("requestBody"))
                yield from self._answers(name, old["responses"], new["responses"])
        for event, methods in self._old.get("webhooks", {}).items():
            found = self._new.get("webhooks", {}).get(event)
            if found is None:
                yield f"The event {event} is gone."
            else:
                old, new = methods["post"]["requestBody"], found["post"]["requestBody"]
                yield from self._contents(f"The event {event}", old, new, "answer")

    def _resolved(self, document: Json, node: Json) -> Json:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/") if "$ref" in node else ():
            found = found[part]
        return found if "$ref" in node else node

    def _parameters(self, name: str, old: Json, new: Json) -> Iterator[str]:
        before = {(each["in"], each["name"].lower()): each for each in old.get("parameters", ())}
        after = {(each["in"], each["name"].lower()): each for each in new.get("parameters", ())}
        for (place, key), each in before.items():
            if (place, key) not in after:
                yield f"{name} no longer takes `{key}` in the {place}."
            else:
                at = f"{name}: `{key}` in the {place}"
                schema = after[place, key]["schema"]
                if schema.get("type") == "array" and each["schema"].get("type") != "array":
                    # Given once, it is on the wire as before.
                    schema = schema["items"]
                yield from self._schemas(at, each["schema"], schema, "request")
        for (place, key), each in after.items():
            if each.get("required") and not before.get((place, key), {}).get("required"):
                yield f"{name} requires `{key}` in the {place} now."

    def _body(self, name: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield f"{name} requires a body now."
            return
        if new is None:
            yield f"{name} no longer takes a body."
            return
        if new.get("required") and not old.get("required"):
            yield f"{name} requires a body now."
        yield from self._contents(f"{name}: the body", old, new, "request")

    def _answers(self, name: str, old: Json, new: Json) -> Iterator[str]:
        for status, response in old.items():
            if status >= "4":
                continue
            if status not in new:
                yield f"{name} no longer answers with {status}."
                continue
            before, after = self._resolved(self._old, response), self._resolved(self._new, new[status])
            at = f"{name}: the answer {status}"
            yield from self._contents(at, before, after, "answer")
            for header in before.get("headers", {}).keys() - after.get("headers", {}).keys():
                yield f"{at} no longer has the header {header}."

    def _contents(self, at: str, old: Json, new: Json, way: Way) -> Iterator[str]:
        for media, content in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{at} is no longer {media}."
            else:
                yield from self._schemas(at, content.get("schema", {}), new["content"][media].get("schema", {}), way)

    def _schemas(self, at: str, old: Json, new: Json, way: Way) -> Iterator[str]:
        if "$ref" in old and "$ref" in new and len(old) == len(new) == 1:
            pair = (old["$ref"], new["$ref"], way)
            if pair in self._seen:
                return
            self._seen.add(pair)
            at = f"{at} ({new['$ref'].rpartition('/')[2]})"
        before, after = self._forms(self._old, old), self._forms(self._new, new)
        narrow, wide = (before, after) if way == "request" else (after, before)
        for kind in narrow.keys() - wide.keys():
            if not (kind == "integer" and "number" in wide):
                now = ", ".join(sorted(after))
                yield f"{at} was {', '.join(sorted(before))} and is {now} now."
                return
        for kind in before.keys() & after.keys():
            yield from self._forms_of_one_type(at, before[kind], after[kind], way)

    def _forms(self, document: Json, schema: Json) -> dict[str, list[Json]]:
        """Return what a schema allows, by type."""
        schema = self._resolved(document, schema)
        parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if parts:
            forms: dict[str, list[Json]] = {}
            for part in parts:
                for kind, found in self._forms(document, part).items():
                    forms.setdefault(kind, []).extend(found)
            return forms
        if "allOf" in schema:
            return {"object": [self._merged(document, schema["allOf"])]}
        kinds = schema.get("type")
        if kinds is None:
            values = schema.get("enum", [schema["const"]] if "const" in schema else [])
            kinds = ["string"] if values and all(isinstance(value, str) for value in values) else sorted(_ANYTHING)
        return {kind: [schema] for kind in ([kinds] if isinstance(kinds, str) else kinds)}

    def _merged(self, document: Json, parts: list[Json]) -> Json:
        """Return one object that has the properties of all parts; a later part says more of one."""
        whole: Json = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            schema = self._resolved(document, part)
            whole["properties"].update(schema.get("properties", {}))
            whole["required"] += schema.get("required", [])
        return whole

    def _forms_of_one_type(self, at: str, old: list[Json], new: list[Json], way: Way) -> Iterator[str]:
        """Compare forms of one type: each that must fit has to fit one of the others."""
        for one in old:
            found = [list(self._one(at, one, other, way)) for other in new]
            best = min(found, key=len)
            yield from best

    def _one(self, at: str, old: Json, new: Json, way: Way) -> Iterator[str]:
        # A text that is marked as an exact number is the text that it was.
        if old.get("format") != new.get("format") and (old.get("format"), new.get("format")) != (None, "decimal"):
            yield f"{at} had the format {old.get('format', 'none')} and has {new.get('format', 'none')} now."
        if way == "request":
            yield from _narrowed(at, old, new)
        yield from self._objects(at, old, new, way)
        if "items" in old and "items" in new:
            yield from self._schemas(f"{at}, each item", old["items"], new["items"], way)

    def _objects(self, at: str, old: Json, new: Json, way: Way) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for key, schema in before.items():
            if key in after:
                yield from self._schemas(f"{at}, `{key}`", schema, after[key], way)
            elif way == "answer" or new.get("additionalProperties") is False:
                yield f"{at} no longer has `{key}`."
        if way == "request":
            for key in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
                yield f"{at} requires `{key}` now."
        else:
            for key in sorted((set(old.get("required", ())) - set(new.get("required", ()))) & after.keys()):
                yield f"{at} may be without `{key}` now."
        values = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            yield from self._schemas(f"{at}, each value", values[0], values[1], way)


def _narrowed(at: str, old: Json, new: Json) -> Iterator[str]:
    """Say what a request can no longer hold."""
    values = _values(old), _values(new)
    if values[1] is not None:
        gone = sorted(map(str, (values[0] or set()) - values[1]))
        if values[0] is None:
            yield f"{at} is one of {', '.join(sorted(map(str, values[1])))} now, and was free."
        elif gone:
            yield f"{at} no longer takes {', '.join(gone)}."
    for key in (*_LOWER, *_UPPER):
        limits = old.get(key), new.get(key)
        tighter = limits[1] is not None and (
            limits[0] is None or (limits[1] > limits[0] if key in _LOWER else limits[1] < limits[0])
        )
        if tighter:
            yield f"{at} has {key} {limits[1]} now, where it had {'none' if limits[0] is None else limits[0]}."
    if "pattern" in new and "pattern" not in old:
        yield f"{at} has to match {new['pattern']} now."


def _values(schema: Json) -> set[Any] | None:
    found = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return None if found is None else set(found)


def _text(node: Any, *, depth: int) -> str:
    """Write a document with a line for each operation and each schema, so that a review shows which of them changed."""
    if depth == 0 or not isinstance(node, dict):
        return json.dumps(node, ensure_ascii=False)
    parts = (f"{json.dumps(key)}: {_text(part, depth=depth - 1)}" for key, part in node.items())
    return "{\n" + ",\n".join(parts) + "\n}"


def main() -> int:
    """Write the document of this code, unless it breaks what was released."""
    parser = argparse.ArgumentParser(prog="python -m dev.openapi", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--break", action="store_true", dest="is_meant", help="write it although it breaks clients")
    arguments = parser.parse_args()
    document = served()
    found = breaks(released(), document) if RELEASED.exists() else []
    sys.stderr.writelines(f"{sentence}\n" for sentence in found)
    if found and not arguments.is_meant:
        sys.stderr.write(f"{WAY_OUT}\n")
        return 1
    RELEASED.write_text(_text(document, depth=3) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
