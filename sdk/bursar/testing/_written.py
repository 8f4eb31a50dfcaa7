"""Metadata and other changeable fields of `FakeBursar`'s objects, with versions."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2

from bursar.testing._answers import Answer, Refused, body_of, known, refuse_taken, time_of


class Written:
    """The version of each object, by the object's id."""

    def __init__(self) -> None:
        """Begin with the first version of all."""
        self._versions: dict[str, int] = {}

    def tag(self, id: str) -> dict[str, str]:
        """Return the header that names the version."""
        return {"ETag": f'"{self._versions.get(id, 1)}"'}

    def make(self, kept: dict[str, dict[str, Any]], prefix: str, body: dict[str, Any], made: dict[str, Any]) -> Answer:
        """Keep a new object with what its request writes on it, and answer with it."""
        external_id = body.get("external_id")
        refuse_taken(external_id, kept.values())
        whole = {
            "id": f"{prefix}_{len(kept) + 1:026d}",
            "external_id": external_id,
            "metadata": body.get("metadata") or {},
            **made,
            "created_at": time_of(datetime.now(UTC)),
        }
        kept[whole["id"]] = whole
        return Answer(201, whole, self.tag(whole["id"]))

    def update(
        self, kept: dict[str, dict[str, Any]], request: httpx2.Request, id: str, more: Mapping[str, Any] | None = None
    ) -> Answer:
        """Change an object that is kept as `change` does, and answer with it."""
        # A copy: answers that were given stay as they were.
        changed = dict(known(kept, id))
        self.change(request, id, changed, kept.values(), more)
        kept[id] = changed
        return Answer(200, changed, self.tag(id))

    def change(
        self,
        request: httpx2.Request,
        id: str,
        own: dict[str, Any],
        all_of: Iterable[dict[str, Any]],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Change an object if its version is the request's.

        Args:
            request: has the version in `If-Match`, and what changes; a key of the metadata that is null or empty is
                taken off, and all of them where the metadata is.
            id: of the object.
            own: its members, which are changed.
            all_of: the documents of all such objects, none of which shares an external id.
            more: what changes beside `external_id` and `metadata`.
        """
        expected, tag = request.headers.get("if-match"), self.tag(id)["ETag"]
        if expected is None:
            raise Refused(428, "precondition.missing", "Send the object's ETag as If-Match.")
        if expected != "*" and tag not in [each.strip() for each in expected.split(",")]:
            raise Refused(412, "precondition.failed", "The object has changed since it was read.", etag=tag)
        body = body_of(request)
        refuse_taken(body.get("external_id"), (each for each in all_of if each["id"] != id))
        said = body.get("metadata", {})
        pairs = {**own["metadata"], **said} if isinstance(said, dict) else {}
        changed = {**(more or {}), "external_id": body.get("external_id", own["external_id"])}
        changed["metadata"] = {name: value for name, value in pairs.items() if value}
        if changed != {name: own[name] for name in changed}:
            own.update(changed)
            self._versions[id] = self._versions.get(id, 1) + 1
