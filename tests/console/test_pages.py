"""Every page for every role, from the running API: well-formed, within its calls, offered where it is accepted."""

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from jinja2 import Environment, Template

from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant
from tests.conftest import DatabaseUrls
from tests.console.access import (
    FRESH,
    OF_READERS,
    OF_RUNS,
    OF_THE_CASE,
    Making,
    address_of,
    commands,
    contents,
    filled_in,
    is_guarded,
    typed_in,
)
from tests.console.conftest import Counting, Visitor
from tests.console.fake import OWN
from tests.console.strict import LANDMARKS, read
from tests.console.table import EVERYBODY, PAGES, PLATFORM, READABLE, SHOWN, Page
from tests.console.template_types import CONSOLE, misfits
from tests.console.walking import FoundForm, forms_of, route_of
from tests.support.cases import for_each

pytestmark = pytest.mark.db
AT_MOST = 9


class Looked:
    """Pages as each role was shown them, asked for and read once in a run of this file."""

    def __init__(self, visitors: dict[str, Visitor], objects: dict[str, str]) -> None:
        self.visitors, self.objects = visitors, objects
        self._pages: dict[tuple[str, str], httpx2.Response] = {}
        self.drawn: list[str] = []
        self.templates: dict[str, str] = {}
        self._offered: dict[str, dict[str, FoundForm]] = {}
        self._navigation: dict[str, set[str]] = {}

    async def at(self, address: str, role: str) -> httpx2.Response:
        if (address, role) not in self._pages:
            self.drawn.clear()
            self._pages[address, role] = answer = await self.visitors[role].get(address)
            if answer.status_code == 200:
                # The page's own, which asks for its parts.
                self.templates[address] = self.drawn[0]
        return self._pages[address, role]

    async def offered(self) -> dict[str, dict[str, FoundForm]]:
        """Return the form of each command, by its route and by the roles that some page offers it to."""
        for page in PAGES if not self._offered else ():
            for role in page.roles:
                answer = await self.at(page.path.format(**self.objects), role)
                for form in forms_of(answer.text) if answer.status_code == 200 else ():
                    self._offered.setdefault(route_of(form.action), {}).setdefault(role, form)
        return self._offered

    async def navigation(self, role: str) -> set[str]:
        """Return where the first page of a role leads."""
        if role not in self._navigation:
            start = await self.at("/console/", role)
            assert start.status_code == 303
            self._navigation[role] = set(read((await self.at(start.headers["location"], role)).text).navigation)
        return self._navigation[role]


@pytest.fixture(scope="module")
def making(operator: Caller, tenant: Tenant, database: Database) -> Making:
    return Making(operator, tenant, database)


@pytest.fixture(scope="module")
def looked(visitors: dict[str, Visitor], objects: dict[str, str]) -> Iterator[Looked]:
    made, really = Looked(visitors, objects), Environment.get_template

    def noted(environment: Environment, name: str, *more: Any) -> Template:
        made.drawn.append(name)
        return really(environment, name, *more)

    render = Template.render

    def checked(template: Template, **values: Any) -> str:
        assert misfits(CONSOLE / str(template.name), values) == [], template.name
        return render(template, **values)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Environment, "get_template", noted)
        changed.setattr(Template, "render", checked)
        yield made


def refused_at(page: Page) -> set[str]:
    """Return of those who may not read a page whoever may most, whoever reads most, and one who is another at each.

    Whom the API refuses what is asked for every role by `tests/api/test_access.py`.
    """
    refused = [role for role in EVERYBODY if role not in page.roles]
    nearest = {*refused[:1], *{"auditor", "platform_auditor"}.intersection(refused)}
    # Among pages of the same roles, so that a new page of others changes nothing here.
    alike = [each for each in PAGES if each.roles == page.roles]
    return nearest | {refused[alike.index(page) % len(refused)]} if refused else set()


@pytest.mark.parametrize("page", PAGES, ids=[page.path for page in PAGES])
async def test_page_is_whole_for_those_who_may_read_it_and_not_there_for_others(
    page: Page, looked: Looked, counting: Counting
):
    for role in (*page.roles, *refused_at(page)):
        counting.calls = 0
        answer = await looked.at(page.path.format(**looked.objects), role)
        assert counting.calls <= AT_MOST, role
        found = read(answer.text)
        assert found.problems == [], role
        if role in page.roles:
            assert answer.status_code == 200, (role, re.sub(r"<[^>]+>", "", answer.text))
            assert all(found.tags.get(each) for each in LANDMARKS), role
        else:
            # A command that the state of its object does not allow says so to whoever may give it.
            assert answer.status_code in ({403, 404} if page.roles else {403, 404, 409}), role


async def test_browser_is_shown_a_page_of_every_template(looked: Looked):
    for page in READABLE:
        await looked.at(page.path.format(**looked.objects), page.roles[0])
    templates = {page.path: looked.templates[page.path.format(**looked.objects)] for page in READABLE}
    assert {templates[page.path] for page in SHOWN} == {*templates.values()}


def test_every_role_is_refused_some_page():
    assert {role for page in PAGES for role in refused_at(page)} == {*EVERYBODY}


@for_each("role", EVERYBODY)
async def test_navigation_offers_what_the_role_may_read_and_nothing_else(role: str, looked: Looked):
    offered = await looked.navigation(role)
    for href in offered:
        assert (await looked.at(href, role)).status_code == 200, href
    base = "/console/platform" if role in PLATFORM else f"/console/{looked.objects['org']}"
    plain = {page.path.format(**looked.objects): page for page in PAGES if "?" not in page.path}
    listed = {path for path, page in plain.items() if path.startswith(base) and role in page.roles}
    everywhere = set().union(*[await looked.navigation(each) for each in EVERYBODY])
    assert listed & everywhere <= offered


async def test_every_route_that_shows_something_is_in_the_table(objects: dict[str, str]):
    from console.nouns import ROUTES

    left_out = {
        "/",
        "/sign-in",
        "/enter/{token}",
        "/platform/changes",
        "/{org}/changes",
        "/pictures/{id}",
        "/platform/pick/{noun}",
        "/{org}/pick/{noun}",
    }
    shown = {
        route.path
        for route in ROUTES
        if "GET" in (route.methods or ()) and not route.path.endswith((".csv", ".pdf", "/file", "/files/{number}"))
    }
    listed = {re.sub(r"\?.*", "", page.path).removeprefix("/console").replace("{seller}", "{org}") for page in PAGES}
    # An object's page is listed under the name of its noun: {escrow} stands where the route says {id}.
    assert shown - left_out == {re.sub(r"\{(?!org\})\w+\}", "{id}", path) for path in listed}


async def test_operator_reads_the_pages_of_an_organization_with_a_band(
    visitors: dict[str, Visitor], objects: dict[str, str]
):
    answer = await visitors["operator"].get(f"/console/{objects['org']}/transactions")
    assert "as operator" in answer.text
    assert "You are viewing" in answer.text
    assert "You are viewing" not in (await visitors["owner"].get(f"/console/{objects['org']}/transactions")).text


async def test_csv_is_the_same_choice_as_the_list(visitors: dict[str, Visitor], objects: dict[str, str]):
    path = f"/console/{objects['org']}/transactions/entries"
    choice = "q=grant"
    answer = await visitors["owner"].get(f"{path}.csv?{choice}")
    assert answer.headers["content-type"].startswith("text/csv")
    assert re.fullmatch(
        r'attachment; filename="tenant-[0-9]+-ledger-entries-utc\.csv"', answer.headers["content-disposition"]
    )
    assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]
    rows = (await visitors["owner"].get(f"{path}?{choice}")).text.count('<th scope="row"')
    assert len(answer.text.splitlines()) == rows + 1 > 1


@for_each(
    "role, path",
    [
        ("operator", "/console/platform/reconciliation?provider={provider}"),
        ("operator", "/console/platform/pricing?type=bounds&ended=true"),
        ("operator", "/console/platform/approvals"),
        ("operator", "/console/{org}/marketplace/offers?model=usage"),
        ("owner", "/console/{org}/marketplace/offers?model=usage"),
        ("owner", "/console/{org}/marketplace?q=agent"),
        ("owner", "/console/{org}/transactions?category=use"),
        ("owner", "/console/{org}/usage"),
        ("owner", "/console/{org}/library"),
        ("owner", "/console/{org}/limits?open=false"),
        ("owner", "/console/{org}/limits"),
        ("owner", "/console/notifications?unread=true"),
        ("owner", "/console/{org}/alerts/settings/endpoints"),
        ("operator", "/console/{org}/alerts/settings/endpoints/{endpoint}?status=delivered"),
    ],
)
async def test_list_leads_to_the_csv_of_its_choice(
    role: str, path: str, visitors: dict[str, Visitor], objects: dict[str, str]
):
    page = await visitors[role].get(path.format(**objects))
    address, _, query = path.format(**objects).partition("?")
    leads = html.escape(f"{address}.csv?{query}" if query else f"{address}.csv")
    # An empty list has nothing to download.
    assert (f'href="{leads}"' in page.text) is ('class="pager"' in page.text)
    answer = await visitors[role].get(html.unescape(leads))
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/csv"), answer.text


async def test_pages_carry_the_name_of_their_request(visitors: dict[str, Visitor], objects: dict[str, str]):
    answer = await visitors["owner"].get(f"/console/{objects['org']}")
    assert answer.headers["x-request-id"].startswith("req_")
    missing = await visitors["owner"].get("/console/nothing")
    assert missing.headers["x-request-id"] in missing.text


async def test_amounts_are_those_of_the_books(visitors: dict[str, Visitor], objects: dict[str, str]):
    page = (await visitors["owner"].get(f"/console/{objects['org']}/transactions")).text
    assert "+100.00" in page


async def test_signing_out_ends_the_session_everywhere(app, tenant):
    from tests.console.conftest import signed_in

    # Not one of those whom other tests share: a browser forgets its session with the answer.
    visitor, thief = [await signed_in(app, "owner", tenant.owner.token) for _ in range(2)]
    token = visitor.browser.cookies["bursar_session"]
    assert (await visitor.post("/console/sign-out", {})).status_code == 303
    stolen = await thief.browser.get(f"/console/{tenant.org_id}", headers={**OWN, "Cookie": f"bursar_session={token}"})
    for each in (visitor, thief):
        await each.browser.aclose()
    assert stolen.status_code == 303
    assert "session.ended" in stolen.headers["location"]


async def test_language_and_zone_are_kept_with_the_person_and_the_rest_in_the_browser(app, tenant):
    from tests.console.conftest import signed_in

    visitor, elsewhere = [await signed_in(app, "owner", tenant.owner.token) for _ in range(2)]
    fields = {"command": "con_preferences-of-a-test", "theme": "dark", "zone": "vienna", "locale": "de_AT"}
    assert (await visitor.post("/console/preferences", fields)).status_code == 303
    first, second = [(await each.get("/console/preferences")).text for each in (visitor, elsewhere)]
    for each in (visitor, elsewhere):
        await each.browser.aclose()
    for page in (first, second):
        assert "Zeiten in Europe/Vienna" in page
        assert '<html lang="de"' in page
        assert '<option value="de_AT" selected>' in page
    assert 'data-theme="dark"' in first
    assert 'data-shortcuts="off"' in first
    assert 'data-theme="system"' in second


@for_each("role", EVERYBODY)
async def test_command_that_a_role_is_not_offered_is_refused_by_the_api_and_writes_nothing(
    role: str, looked: Looked, counting: Counting, database_urls: DatabaseUrls
):
    wrong = []
    before = await contents(database_urls)
    for route, offers in (await looked.offered()).items():
        # The API takes revenue from agents, which have no form for it, and refuses it to operators by its fields.
        if role in offers or route in (*OF_RUNS, *OF_READERS, "/{org}/returns/revenue/report"):
            continue
        form = next(iter(offers.values()))
        counting.answers.clear()
        answer = await looked.visitors[role].post(form.action, filled_in(form, looked.objects))
        asked = [status for method, status in counting.answers if method != "GET"]
        if route in OF_THE_CASE and (answer.status_code, asked) == (OF_THE_CASE[route], [OF_THE_CASE[route]]):
            continue
        # What is the platform's is not there for others: the console itself says so.
        refused = asked or [403] * is_guarded(route, role) or [status for _, status in counting.answers if status > 400]
        if answer.status_code not in {403, 404} or not refused or not {*refused} <= {403, 404}:
            wrong.append(f"{route}: {answer.status_code}, the API {counting.answers}")
    assert not wrong, "\n".join(wrong)
    assert await contents(database_urls) == before


@pytest.mark.parametrize("role", ["auditor", "platform_auditor"])
async def test_command_that_no_page_of_these_objects_offers_is_refused_to_who_only_reads(
    role: str, looked: Looked, counting: Counting, database_urls: DatabaseUrls
):
    offered, wrong, forced = await looked.offered(), [], 0
    before = await contents(database_urls)
    for route in commands():
        if route in offered or route in OF_RUNS:
            continue
        forced += 1
        counting.answers.clear()
        answer = await looked.visitors[role].post(address_of(route, looked.objects), typed_in(route, looked.objects))
        asked = [status for method, status in counting.answers if method != "GET"]
        # What is not whole, such as a choice that nothing offers, ends before anybody's role is asked for.
        if answer.status_code not in {400, 403, 404, 409, 422} or not {*asked} <= {403, 404, 422}:
            wrong.append(f"{route}: {answer.status_code}, the API {counting.answers}")
    assert forced, "Every command is offered somewhere: this test has nothing left."
    assert not wrong, "\n".join(wrong)
    assert await contents(database_urls) == before


@for_each("role", EVERYBODY)
async def test_command_that_a_role_is_offered_is_not_refused_for_the_role(role: str, looked: Looked, making: Making):
    wrong = []
    for route, offers in (await looked.offered()).items():
        if role not in offers:
            continue
        form = offers[role]
        action = await making.of_its_own(route, form.action) if route in FRESH else form.action
        fields = filled_in(form, looked.objects, texts=False)
        answer = await looked.visitors[role].post(action, fields)
        if answer.status_code in {400, 401, 403, 404, 413}:
            wrong.append(f"{route}: {answer.status_code} {re.sub('<[^>]*>', '', answer.text)[-300:]}")
    assert not wrong, "\n".join(wrong)


@for_each(
    "path",
    [
        *(f"payments/{{payment}}{each}" for each in ("", "/go", "/return", "/refund")),
        *(f"invoices/{{invoice}}{each}" for each in ("", "/void")),
        *(f"disputes/{{chargeback}}{each}" for each in ("", "/evidence")),
        *("escrows/{escrow}", "escrows/{funded}/cancel", "contracts/{contract}", "library/{purchase}"),
    ],
)
async def test_operator_is_shown_nothing_of_one_organization_as_anothers(
    path: str, visitors: dict[str, Visitor], objects: dict[str, str], new_tenant: NewTenant
) -> None:
    other = await new_tenant("owner")
    found = [
        (await visitors["operator"].get(f"/console/{org}/{path.format(**objects)}")).status_code
        for org in (objects["org"], other.org_id)
    ]
    assert found == [200, 404]
