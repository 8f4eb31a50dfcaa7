"""A corpus of payloads through every text field and back: refused at the field, or text on the page that shows it."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from console.forms import COMMAND, new_key
from console.picker import id_in
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.console.conftest import Visitor
from tests.console.strict import read
from tests.console.table import PAGES
from tests.console.typed import FORMS, OF_RUNS, PAYLOADS, Made, Typed
from tests.console.walking import FoundForm, forms_of, route_of, text_of

pytestmark = pytest.mark.db
NUMBERS = itertools.count(1)
#: Fields of one kind, several of which stand in a form: the first stands for all.
ALIKE = (
    (r"(day|week|month|quarter|lifetime)_(amount|uses)", r"hour_\2"),
    (r"(.+)_[2-9]", r"\1_1"),
    (r"ladder_[12]_(.+)", r"ladder_0_\1"),
)


def one_of_its_kind(name: str) -> str:
    for pattern, first in ALIKE:
        if found := re.fullmatch(pattern, name):
            return found.expand(first)
    return name


def named(form: Typed) -> str:
    return form.route.removeprefix("/").replace("/", ".")


@pytest.fixture(scope="module")
async def made(database: Database, tenant: Tenant, operator: Caller, objects: dict[str, str]) -> Made:
    """On a plan on which there is room for as many projects as are made here."""
    good(await operator.ask("PUT", f"/organizations/{tenant.org_id}/tier", json={"tier": "enterprise"}, key=new_key()))
    return Made(database, tenant, operator, objects)


class Filling:
    """One form, filled by somebody and sent."""

    def __init__(self, form: Typed, visitor: Visitor, made: Made) -> None:
        self.form, self.visitor, self.made = form, visitor, made
        self.found: FoundForm | None = None
        self.ids: Mapping[str, str] = made.ids
        self.follow = ""

    async def opened(self) -> FoundForm:
        """Return the form as it stands on its page now."""
        if self.form.make is not None:
            self.ids = {**self.made.ids, **await self.form.make(self.made)}
        page = await self.visitor.get(self.form.page.format(**self.ids))
        assert page.status_code == 200
        return next(each for each in forms_of(page.text) if route_of(each.action) == self.form.route)

    async def sent(self, fields: Mapping[str, str]) -> tuple[dict[str, str], httpx2.Response]:
        found = await self.opened()
        number = str(next(NUMBERS))
        self.follow = self.form.follow.replace("#", number)
        whole = {name: text.replace("#", number).format(**self.ids) for name, text in self.form.whole.items()}
        whole = {**found.sent, **whole, **fields}
        return whole, await self.visitor.post(found.action, whole)

    async def landed(self, answer: httpx2.Response, page: str) -> httpx2.Response:
        """Return the page that shows what was typed."""
        if page or answer.status_code == 303:
            answer = await self.visitor.get(page or answer.headers["location"])
        if self.follow:
            found = re.search(rf'href="([^"]+)"[^>]*>(?:<[^>]*>)*{self.follow}<', answer.text)
            assert found, f"{self.follow} is not on {page}"
            answer = await self.visitor.get(found[1])
        return answer

    def refusal(self, answer: httpx2.Response) -> FoundForm:
        """Return the form as the refusal shows it."""
        page = read(answer.text)
        assert page.problems == []
        return next(each for each in forms_of(answer.text) if route_of(each.action) == self.form.route)


@pytest.mark.parametrize("form", FORMS, ids=named)
async def test_text_is_shown_as_text_or_refused_at_its_field_and_kept(
    form: Typed, visitors: dict[str, Visitor], made: Made
):
    filling = Filling(form, visitors[form.role], made)
    wrong: list[str] = []
    for payload, text in PAYLOADS.items() if form.shown else ():
        whole, answer = await filling.sent(dict.fromkeys(form.shown, text))
        if answer.status_code == 422:
            wrong += refused(filling, answer, whole, form.shown, payload)
        elif answer.status_code not in {200, 303, 503}:
            wrong.append(f"{payload}: {answer.status_code} {text_of(answer.text)[:300]}")
        else:
            wrong += [f"{payload}: {each}" for each in await not_shown(filling, answer, text)]
    texts = itertools.cycle(PAYLOADS.items())
    for name, also in form.checked.items():
        payload, text = next(texts)
        whole, answer = await filling.sent({**also, name: text})
        if answer.status_code == 422:
            wrong += refused(filling, answer, whole, [name], payload)
        else:
            wrong.append(f"{name} took {payload}: {answer.status_code} {text_of(answer.text)[:300]}")
    assert not wrong, "\n".join(wrong)


def refused(filling: Filling, answer: httpx2.Response, whole: Mapping[str, str], names: Any, payload: str) -> list[str]:
    """Return what is wrong with a refusal: nothing, where each field that it names is at fault, and all are kept."""
    form = filling.refusal(answer)
    said = [each.name for each in form.controls if each.wrong]
    wrong = [] if said and set(said) <= set(names) else [f"{payload} in {[*names]}: said at {said}"]
    hidden = {each.name for each in form.controls if each.kind == "password"}
    wrong += [f"{payload}: {name} is on the page" for name in hidden if form.sent[name]]
    # An id is shown by its name again.
    named = {each.name for each in form.controls if each.kind == "suggested" and id_in(whole.get(each.name, ""))}
    fields = {each.name for each in form.controls} - {COMMAND, *hidden, *named}
    lost = {
        name: (whole[name], form.sent.get(name)) for name in fields & {*whole} if form.sent.get(name) != whole[name]
    }
    return [*wrong, *(f"{payload}: lost {each}" for each in lost.items())]


async def not_shown(filling: Filling, answer: httpx2.Response, text: str) -> list[str]:
    wrong = []
    for name, page in filling.form.shown.items():
        where = answer.headers.get("location", "") if page is None else page.format(**filling.ids)
        shown = await filling.landed(answer, where)
        if problems := read(shown.text).problems:
            wrong.append(f"{where}: {problems}")
        if page is not None and " ".join(text.split()) not in text_of(shown.text):
            wrong.append(f"{name} is not on {where}")
    return wrong


async def test_every_text_field_is_filled_here_or_on_the_stack(visitors: dict[str, Visitor], objects: dict[str, str]):
    filled: dict[str, set[str]] = {**OF_RUNS}
    for form in FORMS:
        filled.setdefault(form.route, set()).update(form.shown, form.checked)
    found: dict[str, set[str]] = {}
    for page in PAGES:
        # Whoever may most: none of the others is offered a form with another text.
        for role in [role for role in ("owner", "operator", *page.roles) if role in page.roles][:1]:
            answer = await visitors[role].get(page.path.format(**objects))
            for each in forms_of(answer.text):
                found.setdefault(route_of(each.action), set()).update(map(one_of_its_kind, each.texts))
    # A command of the platform's that is an organization's too has the same form.
    stand = {route: route if route in filled else route.replace("/platform/", "/{org}/") for route in found}
    assert {route: filled.get(stand[route]) for route, names in found.items() if names} == {
        route: names for route, names in found.items() if names
    }
