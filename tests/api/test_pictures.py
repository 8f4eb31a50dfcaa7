"""Pictures of agents, logos of organizations, and samples of work."""

from typing import Any

import httpx2
import pytest

from domain.tenants.picture import MAX_BYTES
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, refused
from tests.support.outbox import past_others
from tests.support.pictures import SECRET, chunk, jpeg, png, webp

pytestmark = pytest.mark.db
SAMPLE = {"title": "Report", "url": "https://acme.example/report.pdf", "note": "Made in an hour."}


async def put(caller: Caller, path: str, file: bytes) -> httpx2.Response:
    return await caller.ask("PUT", path, content=file, headers={"Content-Type": "application/octet-stream"})


async def agent_of(tenant: Tenant, **more: Any) -> str:
    return str(good(await tenant.owner.post("/agents", {"name": "Painter", **more}), 201)["id"])


def served(url: str) -> str:
    return url.removeprefix("/api/v1")


async def test_picture_of_an_agent_is_seen_where_the_agent_is(
    database: Database, new_tenant: NewTenant, stranger: Tenant, operator: Caller
) -> None:
    seller = await new_tenant("owner", "member")
    agent = await agent_of(seller)
    shown = good(await put(seller.owner, f"/agents/{agent}/picture", png(2, 2, chunk(b"eXIf", SECRET))))
    url = shown["picture_url"]
    assert url.startswith(f"/api/v1/agents/{agent}/picture?v=")
    for reader in (seller.member, stranger.owner, operator):
        answer = await reader.get(served(url))
        assert (answer.status_code, answer.content) == (200, png())
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == "inline"
    (listed,) = good(await stranger.owner.get(f"/agents?id={agent}"))["data"]
    assert listed["picture_url"] == url

    # The same picture again is no change.
    again = await put(seller.owner, f"/agents/{agent}/picture", png())
    assert good(again) == shown
    other = good(await put(seller.owner, f"/agents/{agent}/picture", webp()))["picture_url"]
    old = await stranger.owner.get(served(url))
    assert (old.content, old.headers["cache-control"]) == (webp(), "private, no-cache")
    assert other != url

    assert good(await seller.owner.delete(f"/agents/{agent}/picture"))["picture_url"] is None
    refused(await seller.owner.get(served(other)), 404, "not_found")
    await past_others(database)
    events = good(await seller.owner.get(f"/events?type=agent.updated&subject={agent}"))["data"]
    assert [each["data"]["changed"] for each in events] == [["picture"]] * 3


async def test_picture_of_a_private_agent_is_its_organizations(new_tenant: NewTenant, stranger: Tenant) -> None:
    seller = await new_tenant("owner", "auditor")
    agent = await agent_of(seller, visibility="private")
    url = served(good(await put(seller.owner, f"/agents/{agent}/picture", jpeg()))["picture_url"])
    assert (await seller.auditor.get(url)).content == jpeg()
    refused(await stranger.owner.get(url), 404, "not_found")
    refused(await put(stranger.owner, f"/agents/{agent}/picture", png()), 404, "not_found")
    refused(await stranger.owner.delete(f"/agents/{agent}/picture"), 404, "not_found")
    refused(await put(seller.auditor, f"/agents/{agent}/picture", png()), 403, "auth.forbidden")


async def test_logo_is_its_organizations_alone(new_tenant: NewTenant, stranger: Tenant, operator: Caller) -> None:
    one = await new_tenant("owner", "member")
    path = f"/organizations/{one.org_id}/logo"
    url = good(await put(one.owner, path, webp()))["logo_url"]
    assert good(await one.member.get("/me"))["organization"]["logo_url"] == url
    assert good(await operator.get(f"/organizations/{one.org_id}"))["logo_url"] == url
    for reader in (one.member, operator):
        assert (await reader.get(served(url))).content == webp()
    refused(await stranger.owner.get(served(url)), 404, "not_found")
    refused(await put(stranger.owner, path, png()), 404, "not_found")
    refused(await put(one.member, path, b""), 403, "auth.forbidden")
    assert good(await one.owner.delete(path))["logo_url"] is None


async def test_file_that_is_no_small_picture_is_refused(new_tenant: NewTenant) -> None:
    seller = await new_tenant("owner", "member")
    path = f"/agents/{await agent_of(seller)}/picture"
    assert refused(await put(seller.owner, path, b"<svg/>"), 422, "request.invalid")["field"] == "picture"
    filled = png(2, 2, chunk(b"tEXt", bytes(MAX_BYTES)))
    refused(await put(seller.owner, path, filled), 413, "request.too_large")
    refused(await seller.owner.get(path), 404, "not_found")


async def test_samples_are_https_links(new_tenant: NewTenant, stranger: Tenant) -> None:
    seller = await new_tenant("owner", "member")
    agent = await agent_of(seller)

    async def changed(*samples: dict[str, Any]) -> httpx2.Response:
        return await seller.owner.ask("PATCH", f"/agents/{agent}", json={"samples": samples}, headers={"If-Match": "*"})

    assert good(await changed(SAMPLE))["samples"] == [SAMPLE]
    assert good(await stranger.owner.get(f"/agents/{agent}"))["samples"] == [SAMPLE]
    for url in (
        "http://a.example",
        "https://me:pw@a.example",
        "https://",
        "javascript:alert(1)",
        "https://a.example/ b",
    ):
        refusal = refused(await changed({**SAMPLE, "url": url}), 422, "request.invalid")
        assert [each["field"] for each in refusal["errors"]] == ["samples.0.url"]
    for wrong in ([SAMPLE] * 6, [{**SAMPLE, "title": "t" * 81}], [{**SAMPLE, "note": "n" * 201}]):
        refused(await changed(*wrong), 422, "request.invalid")
    assert good(await changed())["samples"] == []
