"""Turns a template into a page: `page` and `frame` stand around it, further names are answers of the API."""

import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from console.assets import Assets
from console.filters import Templates, install
from console.frame import Frame
from console.inline import elements

FOLDER = Path(__file__).resolve().parent
#: Below this a compressed page is no smaller on the wire.
_SMALL = 1024
#: Where a row or a cell begins, and how many columns it spans; text of others holds none, as it is escaped.
_CELL = re.compile(r'<(tr|td|th)\b(?:(?=[^>]*\scolspan="(\d+)"))?')


def make_environment(assets: Assets) -> Environment:
    """Return what templates are rendered by: everything is escaped, and a name that is not there is an error."""
    environment = Templates(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    install(environment)
    environment.filters["labelled"] = labelled
    environment.globals |= elements(assets) | {"asset": assets.url, "inlined": assets.inlined}
    return environment


def labelled(rows: str, heads: Sequence[tuple[str, str]]) -> Markup:
    """Write the head of its column into each cell of a table's rows, for phones, which show a row as a card."""
    column = 0

    def one(found: re.Match[str]) -> str:
        nonlocal column
        if found[1] == "tr":
            column = 0
            return found[0]
        label = heads[column][0] if column < len(heads) else ""
        column += int(found[2] or 1)
        return f'{found[0]} data-label="{escape(label)}"' if found[1] == "td" and label else found[0]

    return Markup(_CELL.sub(one, rows))


def html(
    request: Request,
    environment: Environment,
    template: str,
    page: object,
    frame: Frame,
    *,
    status: int = 200,
    secret: bool = False,
    values: Mapping[str, Any] | None = None,
) -> Response:
    """Answer with a page.

    Args:
        request: whose answer it is.
        environment: of `make_environment`.
        template: its path below `console/`.
        page: its view model, a frozen dataclass with a `title`.
        frame: what stands round it.
        status: of the answer.
        values: further names of the template, such as `it` and `rows`, answers of the API.
        secret: whether it shows what must not be guessed from the length of the answer, so that it is not compressed.
    """
    text = environment.get_template(template).render(page=page, frame=frame, **(values or {})).encode()
    headers = {"Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Encoding, Cookie"}
    if not secret and len(text) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        text = packer.compress(text) + packer.flush()
        headers["Content-Encoding"] = "gzip"
    return Response(text, status, headers=headers)
