"""Interactive API reference with Swagger UI, whose files this process serves.

People paste keys here, so nothing is loaded from other hosts, and the content security policy forbids other scripts and
servers.
"""

import re
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from api.openapi import ALIASES

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

_START = """const SAID = ["summary", "description", "operationId"];
const said = (of) => SAID.map((part) => of.getIn(["operation", part])).join(" ");
const hit = (of, words) => {
  const text = `${of.get("method")} ${of.get("path")} ${said(of)}`.toLowerCase();
  return words.every((word) => text.includes(word));
};
// Swagger UI's own filter knows tags alone; this one finds operations by path, name and description.
const search = () => ({
  fn: {
    opsFilter: (tagged, phrase) => {
      const words = phrase.toLowerCase().split(/\\s+/).filter(Boolean);
      return tagged
        .map((tag) => tag.set("operations", tag.get("operations").filter((of) => hit(of, words))))
        .filter((tag) => tag.get("operations").size);
    },
  },
});
SwaggerUIBundle({
  url: "docs/openapi.json",
  dom_id: "#swagger-ui",
  filter: true,
  plugins: [search],
  onComplete: () => {
    const box = document.querySelector(".operation-filter-input");
    if (box) box.placeholder = box.ariaLabel = "Search by path, name or words";
  },
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null,
});
"""


@_read("/docs")
async def reference() -> HTMLResponse:
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return HTMLResponse(_PAGE, headers=headers)


@_read("/docs/openapi.json")
async def document(request: Request) -> Response:
    return JSONResponse(folded(request.app.openapi()), headers={"Cache-Control": "no-cache"})


def folded(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document in which operations list their alternative paths, which have no separate entries.

    An alternative path has the summary and description of its operation, or names it in its description.
    """
    every = [(method, path, of) for path, methods in document["paths"].items() for method, of in methods.items()]
    own = [each for each in every if ALIASES not in each[2]["tags"]]
    paths: dict[str, dict[str, Any]] = {}
    for method, path, of in own:
        paths.setdefault(path, {})[method] = dict(of)
    # An alternative may have another method: `POST …/cancel` for `DELETE`.
    alike = {words: paths[path][method] for method, path, of in own for words in (_words(of), _words(of, method))}
    named = {f"{method.upper()} {path.removeprefix('/api/v1')}": paths[path][method] for method, path, _ in own}
    for method, path, of in every:
        if ALIASES in of["tags"]:
            found = re.search(r"`([A-Z]+ /[^`]+)`", of.get("description", ""))
            main = alike.get(_words(of, method)) or alike.get(_words(of)) or named[found[1] if found else ""]
            main["description"] = f"{main.get('description', '')}\n\nAlso at `{method.upper()} {path}`.".strip()
    tags = [tag for tag in document["tags"] if tag["name"] != ALIASES]
    return {**document, "paths": paths, "tags": tags}


def _words(operation: Mapping[str, Any], method: str = "") -> tuple[str, ...]:
    return method, operation["summary"], operation.get("description", "")


@_read("/docs/assets/start.js")
async def start() -> Response:
    """Serve the start script of Swagger UI, because inline scripts are forbidden."""
    return Response(_START, media_type="text/javascript", headers=_DAY)


@_read("/docs/assets/swagger-ui.js")
async def script() -> FileResponse:
    return FileResponse(_FILES / "swagger-ui-bundle.js", media_type="text/javascript", headers=_DAY)


@_read("/docs/assets/swagger-ui.css")
async def style() -> FileResponse:
    return FileResponse(_FILES / "swagger-ui.css", headers=_DAY)


@_read("/docs/assets/icon.png")
async def icon() -> FileResponse:
    return FileResponse(_FILES / "favicon-32x32.png", headers=_DAY)
