"""A field that picks an object takes its name: one object is meant, or the form says why not."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from console.picker import id_in, labelled
from tests.console.fake import ME, ORG, OWN, FakeApi, browser

FIRST, SECOND, THIRD = [f"agt_01kar6h2d8e4wvq3r5s7t9x1z{last}" for last in "abc"]
NAMES = {FIRST: "Summariser", SECOND: "Twin", THIRD: "Twin"}
BASE = f"/console/{ORG}/cards"


class Agents(FakeApi):
    """Lists agents by the text that is asked for; there are always more."""

    def _answer(self, request: Request, name: str) -> Response:
        text = request.query_params.get("q", "").casefold()
        rows = [{"id": id, "name": called} for id, called in NAMES.items() if text in called.casefold()]
        self.answers["GET /agents"] = (200, {"data": rows, "next_cursor": "more"})
        return super()._answer(request, name)


def api() -> Agents:
    permissions = ["read", "read_billing", "manage_billing"]
    answers: dict[str, tuple[int, Any]] = {
        "GET /me": (200, {**ME, "permissions": permissions}),
        "GET /cards": (200, {"data": [], "next_cursor": None}),
        "POST /cards": (201, {"id": "crd_01kar6h2d8e4wvq3r5s7t9x1zy"}),
    }
    return Agents(answers=answers)


@pytest.mark.parametrize(
    ("typed", "id"), [(FIRST, FIRST), (f"Twin ({SECOND})", SECOND), ("Summariser", ""), ("(agt_1)", "")]
)
def test_an_id_stands_alone_or_behind_its_name(typed: str, id: str) -> None:
    assert id_in(typed) == id


def test_names_that_several_have_are_told_apart_by_their_ids() -> None:
    assert [label for _id, label in labelled(tuple(NAMES.items()))] == [
        "Summariser",
        f"Twin ({SECOND})",
        f"Twin ({THIRD})",
    ]


@pytest.mark.parametrize(("typed", "sent"), [("summariser", FIRST), (f"Twin ({THIRD})", THIRD), (SECOND, SECOND)])
async def test_a_form_sends_the_id_of_what_is_picked(typed: str, sent: str) -> None:
    fake = api()
    async with browser(fake, signed_in=True, issuing="all") as client:
        form = {"command": "con_0123456789abcdef", "agent_id": typed, "name": "Travel", "currency": "USD"}
        answer = await client.post(f"{BASE}/new", data=form, headers=OWN)
    assert answer.status_code == 303
    assert [body["agent_id"] for name, _, body in fake.asked if name == "POST /cards"] == [sent]


@pytest.mark.parametrize(("typed", "says"), [("Twin", "Several are called Twin"), ("Nemo", "Nothing is called Nemo")])
async def test_a_name_of_none_or_several_is_an_error_of_its_field(typed: str, says: str) -> None:
    fake = api()
    async with browser(fake, signed_in=True, issuing="all") as client:
        form = {"command": "con_0123456789abcdef", "agent_id": typed, "name": "Travel", "currency": "USD"}
        answer = await client.post(f"{BASE}/new", data=form, headers=OWN)
        listed = await client.get(BASE, params={"agent_id": typed})
    assert (answer.status_code, listed.status_code) == (422, 422)
    assert says in answer.text
    assert says in listed.text
    assert fake.commands() == []


async def test_a_list_is_filtered_by_the_name_of_an_agent_and_keeps_its_id() -> None:
    fake = api()
    async with browser(fake, signed_in=True) as client:
        page = (await client.get(BASE, params={"agent_id": "Summariser"})).text
        names = (await client.get(f"/console/{ORG}/pick/agents", params={"q": "summ"})).json()
    assert {query["agent_id"] for name, _, query in fake.asked if name == "GET /cards" and "agent_id" in query} == {
        FIRST
    }
    assert 'value="Summariser" list="f-agent_id-list"' in page
    assert "Agent: <bdi>Summariser</bdi>" in page
    assert names == ["Summariser"]
