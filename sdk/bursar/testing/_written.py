"""What a platform has written on the objects of `FakeBursar`, and what else can be changed of them, by versions."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx2

from bursar.testing._answers import Refused, body_of, refuse_taken


class Written:
    """The version of each object, by the object's id."""

    def __init__(self) -> None:
        """Begin with the first version of all."""
        self._versions: dict[str, int] = {}

    def tag(self, id: str) -> dict[str, str]:
        """Return the header that names the version."""
        return {"ETag": f'"{self._versions.get(id, 1)}"'}

    def change(
        self,
        request: httpx2.Request,
        id: str,
        own: dict[str, Any],
        all_of: Iterable[dict[str, Any]],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Change an object, for the version that the request was made for.

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
