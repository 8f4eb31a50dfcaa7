"""HTML pages: the start page, and the explanation of error codes."""

import base64
import hashlib
import html
from functools import partial
from itertools import pairwise

from fastapi import APIRouter
from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse

from api.deps import SettingsDep
from api.errors import ERRORS_DOCUMENT

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_read = partial(router.api_route, methods=["GET", "HEAD"])
_MARKDOWN = MarkdownIt("js-default", {"html": False})

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
code{background:#8882;padding:.1em .3em;border-radius:.2em}:target{background:#fd08}"""
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<body>{body}</body></html>"""
_PRINT_STYLE = """body{font:11px/1.4 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.2em .6em;border-bottom:1px solid #8884}tr{break-inside:avoid}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}.b{font-weight:bold}"""


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


#: Content security policies: no scripts, and no resources but the inline style.
_POLICY, PRINT_POLICY = _policy(_STYLE), _policy(_PRINT_STYLE)

_LANDING = """<h1>Bursar</h1><p>The money backend of platforms where AI agents work for pay.</p><ul>
<li><a href="/docs">API documentation</a> (<a href="/openapi.json">OpenAPI</a>,
<a href="/docs/errors">error codes</a>)</li>
<li><a href="{temporal}">Temporal UI</a>: every process that waits, readable and steerable</li></ul>"""


@_read("/")
async def landing(settings: SettingsDep) -> HTMLResponse:
    body = _LANDING.format(temporal=html.escape(settings.temporal_ui_url, quote=True))
    return _page("Bursar", body)


@_read("/docs/errors")
async def error_codes() -> HTMLResponse:
    """Show docs/reference/errors.md; the `type` of a problem document links to a heading."""
    return _page("Bursar: error codes", render(ERRORS_DOCUMENT.read_text("utf-8")))


def printed(title: str) -> tuple[str, str]:
    """Return the beginning and end of a printable page, sent with `PRINT_POLICY`; the title is HTML."""
    begin, end = _PAGE.format(title=title, style=_PRINT_STYLE, body="\0").split("\0")
    return begin, end


def _page(title: str, body: str) -> HTMLResponse:
    text = _PAGE.format(title=title, style=_STYLE, body=body)
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


def render(markdown: str) -> str:
    """Render Markdown as HTML: HTML is escaped, and a heading's anchor is its text.

    Links to other documents are removed, because those are not served.
    """
    tokens = _MARKDOWN.parse(markdown)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", content.content.strip("`"))
        content.children = [part for part in content.children or () if part.type not in {"link_open", "link_close"}]
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
