"""The life of escrows by the console's forms alone, on a running stack: no browser, no scripts."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from console.format import amount
from tests.console.conftest import Visitor
from tests.console.fake import OWN
from tests.e2e.conftest import World, good

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
async def people(world: World) -> AsyncIterator[dict[str, Visitor]]:
    """Windows without scripts in which the seeded people have signed in."""
    async with AsyncExitStack() as stack:
        found = {}
        for persona in ("client", "finance", "studio", "arbiter", "validator"):
            browser = await stack.enter_async_context(
                httpx2.AsyncClient(base_url=world.running.api_url, trust_env=False, timeout=60)
            )
            fields = {"key": world.running.keys[persona], "next": ""}
            assert (await browser.post("/console/sign-in", data=fields, headers=OWN)).status_code == 303
            found[persona] = Visitor(persona, browser)
        yield found


def base(world: World, org: str = "client_org") -> str:
    return f"/console/{world.running.ids[org]}"


async def sent(visitor: Visitor, path: str, **fields: Any) -> httpx2.Response:
    """Send the form of a page, with what stands in its hidden fields."""
    page = await visitor.get(path)
    assert page.status_code == 200, page.text
    form = page.text[page.text.rindex('<form class="form') :] if 'class="form' in page.text else page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
    return await visitor.post(path.partition("?")[0], {**hidden, **fields})


def led_to(answer: httpx2.Response, notice: str) -> str:
    """Check that a command was done, and return where it led."""
    assert answer.status_code == 303, answer.text
    path, _, query = answer.headers["location"].partition("?")
    assert query == f"notice={notice}"
    return str(path)


async def test_work_is_awarded_funded_delivered_signed_twice_and_released(
    world: World, people: dict[str, Visitor]
) -> None:
    client, studio, finance = people["client"], people["studio"], people["finance"]
    new = f"{base(world)}/escrows/new"
    work = {
        "agent_id": world.running.ids["agent"],
        "title": "Read the <b>quarter</b>",
        "price": "7.00",
        "currency": "CREDIT",
        "validation_threshold": "0.80",
        "signatories": "procurement\nfinance",
        "required_signatures": "2",
        "fund": "credits",
        "operator_approvals": "on",
        "command": await client.form(f"{new}?agent={world.running.ids['agent']}"),
    }
    reviewed = await client.post(new, work)
    assert reviewed.status_code == 200
    assert "7.00" in reviewed.text
    before = good(await world.client.get("/billing/balance"))["available"]

    escrow = led_to(await client.post(new, {**work, "confirmed": "yes"}), "escrow.funded")
    assert led_to(await client.post(new, {**work, "confirmed": "yes"}), "again") == escrow
    after = good(await world.client.get("/billing/balance"))["available"]
    assert Decimal(before) - Decimal(after) == 7
    page = await client.get(escrow)
    assert "Read the &lt;b&gt;quarter&lt;/b&gt;" in page.text
    assert "Summariser has to deliver" in page.text or "has to deliver" in page.text

    escrow_id = escrow.rpartition("/")[2]
    studios = f"{base(world, 'studio_org')}/escrows/{escrow_id}"
    artifacts = f"https://files.test/report.pdf {'ab' * 32}"
    delivered = await sent(studio, f"{studios}/deliver", deliver_artifacts=artifacts, deliver_note="Done")
    assert led_to(delivered, "escrow.delivered") == studios
    page = await client.get(escrow)
    assert "files.test" in page.text
    assert "0 of 2" in page.text

    assert led_to(await sent(client, f"{escrow}/approve"), "escrow.signed") == escrow
    last = await finance.get(f"{escrow}/approve")
    assert "Sign and release" in last.text
    assert led_to(await sent(finance, f"{escrow}/approve"), "escrow.signed") == escrow
    settled = good(await world.client.get(f"/escrows/{escrow_id}"))
    assert settled["status"] == "released"
    for visitor, path in ((client, escrow), (studio, studios)):
        assert "Released" in (await visitor.get(path)).text
    assert amount(settled["released_amount"], "CREDIT").number in (await studio.get(studios)).text


async def test_dispute_is_split_to_the_unit_as_it_was_previewed(world: World, people: dict[str, Visitor]) -> None:
    escrow = await world.escrow("delivered", price="5.01")
    tenants, platform = f"{base(world)}/escrows/{escrow['id']}", f"/console/platform/escrows/{escrow['id']}"
    disputed = await sent(people["client"], f"{tenants}/dispute", dispute_reason="A third is wrong")
    led_to(disputed, "escrow.disputed")
    studios = f"{base(world, 'studio_org')}/escrows/{escrow['id']}"
    heard = await sent(people["studio"], f"{studios}/submit-evidence", evidence_note="It is <i>right</i>")
    led_to(heard, "escrow.evidence")

    arbiter = people["arbiter"]
    assert "It is &lt;i&gt;right&lt;/i&gt;" in (await arbiter.get(platform)).text
    preview = f"/escrows/{escrow['id']}/actions?payee_share=0.333"
    actions = good(await world.arbiter.get(preview))["actions"]
    effect = next(each["effect"] for each in actions if each["action"] == "resolve")
    page = await arbiter.get(f"{platform}/resolve?percent=33.3")
    for part in ("to_agent", "to_payer"):
        assert amount(effect[part], "CREDIT").number in page.text
    fields = {"command": re.findall(r'name="command" value="([^"]+)"', page.text)[-1], "payee_share": "0.333"}
    assert led_to(await arbiter.post(f"{platform}/resolve", fields), "escrow.decided") == platform
    assert led_to(await arbiter.post(f"{platform}/resolve", fields), "again") == platform

    settled = good(await world.client.get(f"/escrows/{escrow['id']}"))
    assert settled["status"] == "split"
    assert settled["released_amount"] == effect["to_agent"]
    assert settled["refunded_amount"] == effect["to_payer"]
    assert settled["commission_amount"] == effect["commission"]


async def test_signature_for_a_delivery_that_was_replaced_is_not_given(
    world: World, people: dict[str, Visitor]
) -> None:
    escrow = await world.escrow("delivered")
    path = f"{base(world)}/escrows/{escrow['id']}"
    key = await people["client"].form(f"{path}/approve")
    good(await world.agent.post(f"/escrows/{escrow['id']}/delivery", {"note": "Better"}))
    answer = await people["client"].post(f"{path}/approve", {"command": key, "delivery": escrow["delivery"]["number"]})
    assert answer.status_code == 409
    assert "Nothing was done" in answer.text
    assert "Better" in answer.text
    assert good(await world.client.get(f"/escrows/{escrow['id']}"))["signatures"] == []


async def test_share_that_is_none_stands_at_its_field_and_decides_nothing(
    world: World, people: dict[str, Visitor]
) -> None:
    escrow = await world.escrow("disputed")
    path = f"/console/platform/escrows/{escrow['id']}/resolve"
    for share in ("150", "half", "1,5"):
        answer = await people["arbiter"].get(f"{path}?percent={share}")
        assert answer.status_code == 422
        assert 'id="f-percent-error"' in answer.text
    assert good(await world.client.get(f"/escrows/{escrow['id']}"))["status"] == "disputed"
