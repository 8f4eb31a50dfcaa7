"""Pictures of agents and logos of organizations: reading the file of a request, and answering with one."""

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.errors import TooLarge
from domain.tenants.picture import MAX_BYTES, Picture, checked_picture
from models.tenants.picture import PictureRow

_FILE = {each: {"schema": {"type": "string", "format": "binary"}} for each in ("image/png", "image/jpeg", "image/webp")}
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The file: PNG, JPEG or WebP, up to 128 KiB and 1024 pixels on each side, not animated.",
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
PICTURE_RESPONSE: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": _FILE}}
#: The version in `picture_url` and `logo_url`.
Version = Annotated[str | None, Query(max_length=64, description="The version of the picture, from its URL.")]


async def read_picture(request: Request) -> Picture:
    """Return the checked picture of a request, whatever type it declares.

    Raises:
        TooLarge: the file is longer than `MAX_BYTES`.
        Invalid: it is no picture, or is out of bounds.
    """
    file = await request.body()
    if len(file) > MAX_BYTES:
        raise TooLarge(f"The picture is longer than {MAX_BYTES // 1024} KiB.", extra={"field": "picture"})
    return checked_picture(file)


def picture_url(path: str, sha256: str | None) -> str | None:
    """Return the URL of a picture with its version, such as `/api/v1/agents/agt_…/picture?v=…`; None without one."""
    return sha256 and f"/api/v1{path}?v={_version(sha256)}"


def as_picture(row: PictureRow, version: str | None) -> Response:
    """Answer with a picture. A URL with its version never changes, so it can be cached for a year."""
    is_fixed = version == _version(row.sha256)
    headers = {
        "ETag": f'"{row.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable" if is_fixed else "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "inline",
    }
    return Response(row.content, media_type=row.media_type, headers=headers)


def _version(sha256: str) -> str:
    return sha256[:16]
