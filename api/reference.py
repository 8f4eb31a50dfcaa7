"""The interactive reference of the API: Swagger UI, whose files this process serves itself.

People paste keys here, so nothing comes from another host, and a policy forbids the browser to run other scripts and to
call no other server.
"""

from functools import partial
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

router = APIRouter(include_in_schema=False)
_read = partial(router.api_route, methods=["GET", "HEAD"])

# Only the files of the package are used, never its code.
_FILES = Path(str(files("fastapi_swagger"))) / "resources"
_DAY = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}

#: Swagger UI sets style attributes, which no hash can name.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

# Relative, so that it works below a prefix that a proxy takes away.
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Bursar: API documentation</title>
<link rel="icon" type="image/png" href="docs/assets/icon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<body><div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui.js"></script><script src="docs/assets/start.js"></script></body></html>"""

_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null,
});
"""


@_read("/docs")
async def reference() -> HTMLResponse:
    """Show every operation, to read and to try."""
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return HTMLResponse(_PAGE, headers=headers)


@_read("/docs/assets/start.js")
async def start() -> Response:
    """Serve what starts Swagger UI; a script in the page itself is not run."""
    return Response(_START, media_type="text/javascript", headers=_DAY)


@_read("/docs/assets/swagger-ui.js")
async def script() -> FileResponse:
    """Serve Swagger UI."""
    return FileResponse(_FILES / "swagger-ui-bundle.js", media_type="text/javascript", headers=_DAY)


@_read("/docs/assets/swagger-ui.css")
async def style() -> FileResponse:
    """Serve the style of Swagger UI."""
    return FileResponse(_FILES / "swagger-ui.css", headers=_DAY)


@_read("/docs/assets/icon.png")
async def icon() -> FileResponse:
    """Serve the icon of Swagger UI."""
    return FileResponse(_FILES / "favicon-32x32.png", headers=_DAY)
