"""A stand-in for a bucket that speaks the API of S3, on the loopback: objects whole or in parts, listed and deleted.

It holds objects in memory, and checks that requests are signed, not by whom.
"""

import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEY = re.compile(r"<Key>([^<]+)</Key>")
_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


class Bucket:
    """A bucket.

    Attributes:
        objects: their contents by their keys.
        uploads: parts of uploads that are not complete, by upload and number.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}

    @property
    def app(self) -> Starlette:
        """Return what serves it, at `/{bucket}/{key}`."""
        return Starlette(
            routes=[
                Route("/{bucket}", self._of_bucket, methods=_METHODS),
                Route("/{bucket}/{key:path}", self._of_object, methods=_METHODS),
            ]
        )

    async def _of_bucket(self, request: Request) -> Response:
        if refusal := _refusal(request):
            return refusal
        query = parse_qs(request.url.query, keep_blank_values=True)
        if request.method == "POST" and "delete" in query:
            keys = _KEY.findall((await request.body()).decode())
            for key in keys:
                self.objects.pop(key, None)
            return _xml("DeleteResult", "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys))
        prefix = query.get("prefix", [""])[0]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return _xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{found}")

    async def _of_object(self, request: Request) -> Response:
        if refusal := _refusal(request):
            return refusal
        key, query = request.path_params["key"], parse_qs(request.url.query, keep_blank_values=True)
        upload = query.get("uploadId", [""])[0]
        if not key:
            return await self._of_bucket(request)
        if request.method == "POST" and "uploads" in query:
            upload = f"upload-{len(self.uploads) + 1}"
            self.uploads[upload] = {}
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        if request.method == "PUT" and upload:
            number = int(query["partNumber"][0])
            self.uploads[upload][number] = await request.body()
            return Response(headers={"ETag": f'"{number}"'})
        if request.method == "POST" and upload:
            parts = self.uploads.pop(upload)
            self.objects[key] = b"".join(parts[number] for number in sorted(parts))
            return _xml("CompleteMultipartUploadResult", '<ETag>"done"</ETag>')
        if request.method == "PUT":
            self.objects[key] = await request.body()
            return Response(headers={"ETag": '"put"'})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        if key not in self.objects:
            return _xml("Error", "<Code>NoSuchKey</Code>", status=404)
        headers = {"ETag": '"got"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return Response(self.objects[key], headers=headers)


def _refusal(request: Request) -> Response | None:
    if request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return None
    return _xml("Error", "<Code>AccessDenied</Code>", status=403)


def _xml(name: str, content: str, *, status: int = 200) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
    return Response(text, status_code=status, media_type="application/xml")
