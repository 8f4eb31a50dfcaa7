"""The search index: Elasticsearch or OpenSearch over HTTP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2

from providers.payments.base import ProviderUnavailable

#: A document exists already under its id.
_EXISTS = 409
_BUSY, _TOO_LARGE = 429, 413
#: Said of an index or the cluster, not of a document: sent again later.
_OF_THE_INDEX = frozenset({401, 403, 404})
_ERRORS_OF_THE_INDEX = frozenset({"validation_exception", "index_closed_exception", "cluster_block_exception"})
#: The most characters of a reason that are kept.
REASON = 300


class Busy(ProviderUnavailable):
    """The server asks for patience.

    Attributes:
        retry_after: how long, if it says so.
    """

    def __init__(self, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooLarge(ProviderUnavailable):
    """The server accepts no request of this length."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Result of an indexing request: number of new documents, and reasons of refused ones by id."""

    created: int
    refused: Mapping[str, str]


class SearchIndex:
    """One cluster, and the indices that begin with a name.

    Errors:
        Busy: it answers 429 or 5xx, as a whole or for a document: what was sent is sent again later.
        ProviderUnavailable: it does not answer, or not as it should.
    """

    def __init__(
        self, client: httpx2.AsyncClient, url: str, *, name: str, months: int, authorization: str | None = None
    ) -> None:
        """Take the client, which the caller closes.

        Args:
            client: over which it is asked.
            url: of the cluster.
            name: what the names of its indices begin with.
            months: how many months before the present one are kept.
            authorization: the whole header, such as `ApiKey …`.
        """
        self._client, self._url, self.name, self.months = client, url.rstrip("/"), name, months
        self._headers = {} if authorization is None else {"Authorization": authorization}

    async def prepare(self, mapping: Mapping[str, str]) -> None:
        """Say which fields documents have; other fields are kept and not searched."""
        template = {"index_patterns": [f"{self.name}-*"], "template": _mapped(mapping)}
        await self._ask("PUT", f"/_index_template/{self.name}", json=template)

    async def make(self, index: str, mapping: Mapping[str, str]) -> None:
        """Make an index with these fields: the first document would make it without them if the template is gone."""
        await self._ask("PUT", f"/{index}", json=_mapped(mapping))

    async def is_known(self) -> bool:
        """Return whether this cluster was prepared before."""
        found = await self._ask("GET", f"/_index_template/{self.name}", missing=True)
        return isinstance(found, dict) and bool(found.get("index_templates"))

    async def create(self, documents: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Sent:
        """Add documents that are not there yet: each with its index, its id and its fields.

        What is too large for one request is sent in halves; one document that is too large alone is refused.
        """
        try:
            return await self._create(documents)
        except TooLarge as error:
            if len(documents) == 1:
                return Sent(0, {documents[0][1]: error.detail})
        half = len(documents) // 2
        one, other = await self.create(documents[:half]), await self.create(documents[half:])
        return Sent(one.created + other.created, {**one.refused, **other.refused})

    async def _create(self, documents: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Sent:
        lines = []
        for index, document_id, fields in documents:
            lines += [json.dumps({"create": {"_index": index, "_id": document_id}}), json.dumps(fields)]
        content = "\n".join([*lines, ""]).encode()
        answer = await self._ask("POST", "/_bulk", content=content, headers={"Content-Type": "application/x-ndjson"})
        created, refused = 0, dict[str, str]()
        try:
            items = [item["create"] for item in answer["items"]]
            found = [(item["_id"], int(item["status"]), dict(item.get("error") or {})) for item in items]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ProviderUnavailable(
                f"The search index does not say which documents it took: {answer}"[:REASON]
            ) from None
        if [each for each, _, _ in found] != [document_id for _, document_id, _ in documents]:
            raise ProviderUnavailable("The search index answers for other documents than it was sent.")
        for document_id, status, error in found:
            if status == _BUSY or status >= 500:
                raise Busy(f"The search index answers {status} for a document.")
            if status in _OF_THE_INDEX or error.get("type") in _ERRORS_OF_THE_INDEX:
                said = f"The search index answers {status}: {error.get('type')}: {error.get('reason', '')}"
                raise ProviderUnavailable(said[:REASON])
            created += status < 300
            if status >= 300 and status != _EXISTS:
                refused[document_id] = f"{error.get('type', status)}: {error.get('reason', '')}"[:REASON]
        return Sent(created, refused)

    async def indices(self) -> list[str]:
        """Return the names of all indices."""
        found = await self._ask("GET", f"/_resolve/index/{self.name}-*", params={"expand_wildcards": "open,closed"})
        try:
            return sorted(each["name"] for each in found["indices"])
        except (KeyError, TypeError):
            raise ProviderUnavailable("The search index does not name its indices.") from None

    async def drop(self, index: str) -> None:
        """Delete an index; one that is gone already is no error."""
        await self._ask("DELETE", f"/{index}", missing=True)

    async def _ask(self, method: str, path: str, *, missing: bool = False, **options: Any) -> Any:
        headers = {**self._headers, **options.pop("headers", {})}
        try:
            answer = await self._client.request(method, f"{self._url}{path}", headers=headers, **options)
        except httpx2.HTTPError as error:
            raise ProviderUnavailable(f"The search index does not answer: {type(error).__name__}.") from error
        if answer.status_code == _BUSY or answer.status_code >= 500:
            after = answer.headers.get("retry-after", "")
            wait = timedelta(seconds=int(after)) if after.isdecimal() and len(after) < 6 else None
            raise Busy(f"The search index answers {answer.status_code}.", wait)
        if answer.status_code == _TOO_LARGE:
            raise TooLarge(f"The search index answers {_TOO_LARGE}: a request of {len(answer.request.content)} bytes.")
        if answer.status_code >= 300 and not (missing and answer.status_code == 404):
            raise ProviderUnavailable(f"The search index answers {answer.status_code}: {answer.text[:REASON]}")
        try:
            return answer.json()
        except ValueError:
            raise ProviderUnavailable("The search index does not answer with JSON.") from None


def _mapped(mapping: Mapping[str, str]) -> dict[str, Any]:
    fields = {name: {"type": kind} for name, kind in mapping.items()}
    return {"mappings": {"dynamic": False, "properties": fields}}
