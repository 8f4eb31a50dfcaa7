"""Every link of every page, followed by every role: none leads to what is not there, or to what the role may not read.

A page is read once for each role, and each distinct address that it leads to is asked for once. What an address chooses
of a list is asked for as well, and not followed from there: lists go on for as long as there are rows and months.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from domain.common.access import Actor, Role
from domain.escrow import commands
from runtime.database import Database
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key
from tests.api.escrowing import delivered_escrow, state, write
from tests.api.paying import Written
from tests.api.spending import grant, use
from tests.console.conftest import Visitor, signed_in
from tests.console.strict import read
from tests.console.table import EVERYBODY, PLATFORM, READABLE
from tests.support.cases import for_each

pytestmark = pytest.mark.db


async def broken(visitor: Visitor, *begin: str, within: str = "/console/") -> list[str]:
    """Follow every link of some pages, and of those within an address that they lead to.

    Returns those that lead to a refusal or to a part that its page does not have, and the page that each stands on.
    """
    asked, found = dict.fromkeys(begin, "where one begins"), []
    ids, parts = dict[str, set[str]](), dict[str, str]()
    queue = [*begin]
    while queue:
        address = queue.pop()
        answer = await visitor.get(address)
        # A file that is not made yet, or that asks for a narrower choice, says so.
        is_file = urlsplit(address).path.endswith((".csv", ".pdf"))
        if answer.status_code >= 400 and not (is_file and answer.status_code in {409, 422}):
            found.append(f"{answer.status_code} {address}, on {asked[address]}")
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        shown = read(answer.text) if is_page else None
        if shown:
            ids[address] = {*shown.ids}
        leads_on = is_page or answer.is_redirect
        if address not in begin and (urlsplit(address).query or not leads_on or not address.startswith(within)):
            continue
        for href in shown.links if shown else [answer.headers["location"]]:
            plain, _, part = href.partition("#")
            if part:
                parts.setdefault(href, address)
            if plain.startswith("/console/") and plain not in asked:
                asked[plain] = address
                queue.append(plain)
    at = ((href, *href.split("#"), address) for href, address in parts.items())
    lost = [f"{href}, on {address}" for href, plain, part, address in at if part not in ids.get(plain, {part})]
    return found + lost


@for_each("role", EVERYBODY)
async def test_nothing_leads_to_a_page_that_is_not_there(
    role: str, visitors: dict[str, Visitor], objects: dict[str, str]
) -> None:
    pages = [page.path.format(**objects) for page in READABLE if role in page.roles]
    found = await broken(visitors[role], "/console/", *pages)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
async def seller(operator: Caller, new_tenant: NewTenant, stranger: Tenant, database: Database) -> Tenant:
    """A creator that was paid by others: through an escrow, for agents that were bought, and by use; and its buyer."""
    buyer, seller = await new_tenant("owner"), await new_tenant(*TENANT_ROLES)
    await grant(operator, buyer.org_id)
    signer, now = good(await buyer.owner.get("/me"))["principal"], datetime.now(UTC)
    escrow = await delivered_escrow(operator, database, buyer, seller, signer, times=1, at=now)
    actor = Actor(principal=signer, role=Role.OWNER, org_id=buyer.org_id)
    signed = commands.approve(await state(database, escrow), signatory=signer, actor=actor, now=now)
    await write(database, signed, at=now)
    paid = await Written(database, buyer.org_id).begin()
    paid.there.pay()
    await paid.look()
    for offer in ({"model": "one_time", "price": "9.50"}, {"model": "usage", "prices": {"page": "0.02"}}):
        agent = good(await seller.owner.post("/agents", {"name": "For sale"}), 201)["id"]
        good(await seller.owner.ask("PUT", f"/marketplace/agents/{agent}", json=offer))
        good(await buyer.owner.post(f"/marketplace/agents/{agent}/purchase", {}, key=new_key()), 201)
    used = await use(buyer.owner, action="page", quantity=3, payee_agent_id=agent)
    good(await operator.post(f"/credits/spends/{used['id']}/refunds", {}, key=new_key()), 201)
    return seller


@pytest.fixture(scope="module")
async def sellers(app: FastAPI, seller: Tenant) -> AsyncIterator[dict[str, Visitor]]:
    found = {role: await signed_in(app, role, getattr(seller, role).token) for role in TENANT_ROLES}
    yield found
    for visitor in found.values():
        await visitor.browser.aclose()


@for_each("role", TENANT_ROLES)
async def test_creators_rows_lead_to_what_a_creator_may_see(
    role: str, sellers: dict[str, Visitor], seller: Tenant
) -> None:
    entries = f"/console/{seller.org_id}/transactions/entries"
    begin = ["/console/", *([entries] if role != "agent" else [])]
    assert await broken(sellers[role], *begin) == []


@for_each("role", [role for role in PLATFORM if role in {"operator", "platform_auditor"}])
async def test_platform_is_led_to_what_is_there_from_a_creators_pages(
    role: str, visitors: dict[str, Visitor], seller: Tenant
) -> None:
    base = f"/console/{seller.org_id}"
    assert await broken(visitors[role], base, f"{base}/transactions", f"{base}/transactions/entries", within=base) == []
