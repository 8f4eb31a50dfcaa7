"""External ids and metadata over HTTP: in bodies and answers, as filters of lists, and how they are changed.

A change says for which version of the object it was made, in the header `If-Match`; answers have that version as their
`ETag`. So of two that change what both have read, the second hears of it.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema as JsonSchema
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, permit
from api.deps import Deps
from api.fields import RequestModel, ResponseModel, etag
from api.idempotency import Command
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid
from domain.tenants.metadata import (
    MAX_EXTERNAL_ID,
    MAX_KEY,
    MAX_KEYS,
    MAX_VALUE,
    OwnMetadata,
    Precondition,
    PreconditionMissing,
    checked_external_id,
    checked_metadata,
    refused,
)
from models.tenants.metadata import ObjectMetadata
from repositories.tenants import metadata as written
from services.tenants.metadata import ObjectChange, change, version_of

#: Values of metadata that one list is narrowed by.
MAX_FILTERS = 10
_FILTER = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_ETAG = re.compile(r'(W/)?"([^"]*)"')
_MAX_ETAGS = 20
_PAIRS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": r"^[^\[\]]+$"},
    "maxProperties": MAX_KEYS,
    "examples": [{"order": "6735"}],
}


def _external_id(value: object) -> object:
    return checked_external_id(value) if isinstance(value, str) else value


def _metadata(value: object) -> object:
    return checked_metadata(value) if isinstance(value, dict) else value


def _metadata_change(value: object) -> object:
    # As at Stripe, an empty text removes the value.
    return None if value == "" else value


ExternalId = Annotated[
    str,
    BeforeValidator(_external_id),
    JsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_EXTERNAL_ID, "examples": ["customer-1042"]}),
]
Metadata = Annotated[dict[str, str], BeforeValidator(_metadata), JsonSchema(_PAIRS)]
#: Judged when it is merged with what is there.
MetadataChange = Annotated[
    dict[str, Any] | None,
    BeforeValidator(_metadata_change),
    JsonSchema(
        {
            "anyOf": [
                {**_PAIRS, "additionalProperties": {"type": ["string", "null"], "maxLength": MAX_VALUE}},
                {"type": "null"},
            ]
        }
    ),
]


class WithMetadata(RequestModel):
    """Your own id and metadata of a new object."""

    external_id: ExternalId | None = Field(
        default=None, description="Your own id for the object. It must be unique among your objects of this kind."
    )
    metadata: Metadata = Field(
        default={}, description="Your own key-value pairs of text. Other organizations cannot see them."
    )

    def own(self) -> OwnMetadata:
        return OwnMetadata(self.external_id, self.metadata)


class MetadataUpdate(RequestModel):
    """Your own id and metadata of an object. Fields that are left out stay as they are."""

    external_id: ExternalId | None = Field(default=None, description="Your own id for the object; null removes it.")
    metadata: MetadataChange = Field(
        default=None,
        description="Keys to set. An empty or null value removes its key; null instead of the object removes all keys.",
    )

    def written(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("external_id", "metadata") if name in self.model_fields_set}


class MetadataView(ResponseModel):
    """Your own id and metadata of an object."""

    external_id: str | None = Field(description="Your own id for the object.")
    metadata: dict[str, str] = Field(description="Your own key-value pairs of text.")


def shown(own: ObjectMetadata | None) -> dict[str, Any]:
    """Return the fields of `MetadataView`."""
    return (
        {"external_id": None, "metadata": {}}
        if own is None
        else {"external_id": own.external_id, "metadata": own.pairs}
    )


async def visible_metadata(
    session: AsyncSession, actor: Actor, objects: Mapping[str, str]
) -> dict[str, ObjectMetadata]:
    """Return what an actor sees written on objects, by their ids: a tenant what is its own, operators all.

    Args:
        session: of the actor.
        actor: who reads.
        objects: the id of each object, and the organization whose ids and metadata operators are shown.
    """
    if actor.is_platform and not actor.may(Permission.INSPECT):
        return {}
    return await written.of(session, ((each, actor.org_id or org_id) for each, org_id in objects.items()))


async def _wanted(
    request: Request,
    actor: ActorDep,
    external_id: Annotated[str | None, Query(description="Only the objects with this external id of yours.")] = None,
) -> OwnMetadata:
    metadata: dict[str, object] = {}
    for name, value in request.query_params.items():
        named = _FILTER.fullmatch(name)
        if named is not None:
            metadata[named[1]] = value
            if not value:
                raise refused(named[1], "A value is required. Send the value to filter by.")
    if len(metadata) > MAX_FILTERS:
        raise Invalid(
            f"A list can be filtered by at most {MAX_FILTERS} metadata keys. Send fewer of them.",
            extra={"field": "metadata"},
        )
    found = OwnMetadata(None if external_id is None else checked_external_id(external_id), checked_metadata(metadata))
    if found and actor.is_platform:
        permit(actor, Permission.INSPECT)
    return found


_wanted.__dict__["query_family"] = "metadata"
#: What a list is narrowed to. The list's route says `openapi_extra=METADATA_FILTER`.
MetadataFilterDep = Annotated[OwnMetadata, Depends(_wanted)]
#: The parameters `metadata[key]=value`, whose names FastAPI does not know.
METADATA_FILTER: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "description": "Only objects with these values in your metadata: `metadata[key]=value`.",
            "schema": {
                "type": "object",
                "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_VALUE},
                "propertyNames": {"pattern": r"^[A-Za-z0-9_-]{1,40}$"},
                "maxProperties": MAX_FILTERS,
            },
        }
    ]
}

#: Marks the header as required in the OpenAPI document: without it the answer is a 428 of our own.
_REQUIRED: dict[str, JsonValue] = {"x-required": True}


def _parsed(if_match: str | None) -> Precondition | None:
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return Precondition()
    parts = [_ETAG.fullmatch(part.strip()) for part in if_match.split(",", _MAX_ETAGS)]
    if not all(parts):
        raise Invalid('If-Match must be an ETag, such as "3", or *.', extra={"field": "If-Match"})
    # Weak tags match nothing here, and neither do those that are none of ours.
    strong = (part[2] for part in parts if part is not None and part[1] is None)
    return Precondition(frozenset(int(tag) for tag in strong if tag.isascii() and tag.isdecimal() and len(tag) < 19))


def _precondition(description: str, *, is_required: bool) -> Any:
    header = Header(description=description, examples=['"1"'], json_schema_extra=_REQUIRED if is_required else None)

    def precondition(if_match: Annotated[str | None, header] = None) -> Precondition | None:
        return _parsed(if_match)

    return Depends(precondition)


_READ = "The `ETag` of the object as you have read it, or `*` for any version. Required here."
#: None if the request does not say for which version it was made; give it to `required_precondition`.
PreconditionDep = Annotated[Precondition | None, _precondition(_READ, is_required=True)]
_CHANGED = (
    "The `ETag` of the object as you have read it. If it has changed since, the request is refused. Without it, any "
    "version is replaced."
)
#: The same for operations that were released without the header, so none of them can come to require it.
GivenPreconditionDep = Annotated[Precondition | None, _precondition(_CHANGED, is_required=False)]


def required_precondition(expected: Precondition | None) -> Precondition:
    """Return for which versions a change was made, once its sender is known to be allowed to make it.

    Raises:
        PreconditionMissing: it does not say.
    """
    if expected is None:
        raise PreconditionMissing(
            "Send the object's ETag as If-Match, so that the change is made to the version that you have read."
        )
    return expected


async def read_own(deps: Deps, actor: Actor, object_id: str, org_id: str) -> ObjectMetadata | None:
    """Return what an actor sees written on one object, in one round trip; see `visible_metadata`."""
    viewer = actor.org_id
    if viewer is not None:
        return await deps.pool.read(lambda pool: written.read(pool, object_id, viewer, tenant=True))
    if not actor.may(Permission.INSPECT):
        return None
    return await deps.platform_pool.read(lambda pool: written.read(pool, object_id, org_id, tenant=False))


def tagged(response: Response, own: ObjectMetadata | None) -> None:
    response.headers.update(etag(version_of(own)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTarget:
    """An object of which a request changes what is written on it.

    Attributes:
        noun: as its events are called.
        org_id: whose ids and metadata operators change; a tenant changes its own.
        lock: keeps others from changing the object until the transaction ends.
        show: makes the answer of what is written on it then.
    """

    noun: str
    object_id: str
    org_id: str
    lock: Callable[[AsyncSession], Awaitable[None]]
    show: Callable[[ObjectMetadata | None], Awaitable[ResponseModel]]


async def update(
    deps: Deps,
    actor: Actor,
    command: Command,
    expected: Precondition | None,
    body: MetadataUpdate,
    target: MetadataTarget,
) -> Response:
    """Change what is written on an object that the actor sees, and may make objects like it.

    Raises:
        PreconditionMissing: the request does not say for which version.
        Invalid: metadata cannot be kept.
    """
    wanted = ObjectChange(
        noun=target.noun,
        object_id=target.object_id,
        org_id=actor.org_id or target.org_id,
        expected=required_precondition(expected),
        written=body.written(),
        command_id=command.command_id,
    )
    async with command:
        async with deps.database.platform() as session:
            await target.lock(session)
            changed = await change(session, actor, wanted)
        command.version = changed.version
        return command.answer(await target.show(changed.own))
