"""The pages that people open in a browser, and where what they load comes from."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from api.pages import render
from tests.api.conftest import Caller
from tests.support.cases import for_each

PAGES = ["/", "/docs", "/docs/errors", "/codec/login"]
FILES = [
    "/openapi.json",
    *(f"/docs/assets/{name}" for name in ("start.js", "swagger-ui.js", "swagger-ui.css", "icon.png")),
]
#: Elements whose address is loaded with the page. An `a` is followed by a person.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "form": "action"}


class Page(HTMLParser):
    """The resources that a page loads, and its inline scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.elements: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append(tag)
        if address := values.get(LOADS.get(tag, "")):
            self.loads.append(address)
        self.inline += [name for name in values if name.startswith("on")]
        self._script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


def policy(header: str) -> dict[str, list[str]]:
    directives = [part.split() for part in header.split(";")]
    return {name: sources for name, *sources in directives}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_another_host(anonymous: Caller, path: str) -> None:
    answer = await anonymous.http.get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.inline == []
    for address in page.loads:
        assert urlsplit(address).netloc == ""
        assert (await anonymous.http.get(urljoin(path, address))).status_code in {200, 405}


@pytest.mark.slow
@for_each("path", [*PAGES, *FILES])
async def test_head_answers_as_get_does(anonymous: Caller, path: str) -> None:
    named = {"X-Request-Id": "same"}
    whole = await anonymous.http.get(path, headers=named)
    head = await anonymous.http.head(path, headers=named)
    assert head.status_code == whole.status_code == 200
    assert head.headers == whole.headers
    assert int(head.headers["content-length"]) == len(whole.content) > 0


@pytest.mark.parametrize("path", PAGES)
async def test_a_browser_is_told_to_load_and_run_nothing_else(anonymous: Caller, path: str) -> None:
    told = policy((await anonymous.http.get(path)).headers["content-security-policy"])
    assert told["default-src"] == ["'none'"]
    assert told.get("script-src", ["'self'"]) == ["'self'"]
    assert told["frame-ancestors"] == told["base-uri"] == ["'none'"]
    for source in (source for sources in told.values() for source in sources):
        assert source in {"'none'", "'self'", "'unsafe-inline'", "data:"} or source.startswith("'sha256-")


async def test_the_reference_starts_with_our_own_document(anonymous: Caller) -> None:
    script = (await anonymous.http.get("/docs/assets/start.js")).text
    assert 'url: "docs/openapi.json"' in script
    assert "://" not in script
    assert (await anonymous.http.get(urljoin("/docs", "docs/openapi.json"))).json()["openapi"].startswith("3.1")


async def test_the_reference_has_one_entry_for_each_operation_which_names_its_other_paths(anonymous: Caller) -> None:
    whole = (await anonymous.http.get("/openapi.json")).json()
    shown = (await anonymous.http.get("/docs/openapi.json")).json()
    operations = {(method, path): of for path, methods in whole["paths"].items() for method, of in methods.items()}
    others = [f"`{method.upper()} {path}`" for (method, path), of in operations.items() if of["tags"] == ["aliases"]]
    entries = [of for methods in shown["paths"].values() for of in methods.values()]
    assert others
    assert len(entries) == len(operations) - len(others)
    assert [other for other in others if sum(other in of.get("description", "") for of in entries) != 1] == []
    balance = shown["paths"]["/api/v1/billing/balance"]["get"]["description"]
    assert "Also at `GET /api/v1/credits/balance`." in balance
    subscription = shown["paths"]["/api/v1/billing/subscription"]
    assert "Also at `POST /api/v1/billing/subscribe`." in subscription["post"]["description"]
    assert "Also at `POST /api/v1/billing/cancel`." in subscription["delete"]["description"]


@pytest.mark.parametrize(
    ("name", "kind"), [("swagger-ui.js", "text/javascript"), ("swagger-ui.css", "text/css"), ("icon.png", "image/png")]
)
async def test_files_of_swagger_ui_have_their_content_types(anonymous: Caller, name: str, kind: str) -> None:
    answer = await anonymous.http.get(f"/docs/assets/{name}")
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/redoc", "/docs/oauth2-redirect", "/docs/assets/main.py", "/docs/assets/..%2Fmain.py"]
)
async def test_no_other_file_of_swagger_ui_is_served(anonymous: Caller, path: str) -> None:
    assert (await anonymous.http.get(path)).status_code == 404


def test_a_document_is_shown_as_it_is_written() -> None:
    shown = render("## `not_found`\n\nThe answer is 404. See [the page](other.md) of `code` & more.\n\n- one\n- two\n")
    assert '<h2 id="not_found"><code>not_found</code></h2>' in shown
    assert "<p>The answer is 404. See the page of <code>code</code> &amp; more.</p>" in shown
    assert shown.count("<li>") == 2


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a <b>b</b>", "[a](javascript:alert(1))", "`<i>`"])
def test_html_in_a_document_is_text(text: str) -> None:
    shown = Page(render(f"# {text}\n\n{text}\n"))
    assert set(shown.elements) <= {"h1", "p", "code"}
    assert shown.loads == shown.inline == []


async def test_a_page_links_to_nothing_that_is_not_served(anonymous: Caller) -> None:
    assert "href" not in (await anonymous.http.get("/docs/errors")).text
