"""A key is issued, seen once and revoked, which signs its windows out; a sign-in link opens one session."""

import re

import pytest
from playwright.async_api import expect

from tests.console.browser.people import POINTER, WITHOUT_SCRIPTS, company, people_at
from tests.e2e.conftest import Caller, good


async def test_a_key_is_seen_once_and_its_revocation_signs_its_window_out(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/settings/keys")
        await owner.press("Create key", link=True)
        await owner.write("Principal", "temporary")
        await owner.choose("Role", "Auditor")
        await owner.press("Create key")
        secret = await owner.page.locator(".secret code").inner_text()
        await owner.page.go_back()
        assert secret not in await owner.page.content()
        await owner.go(f"{own.base}/settings/keys")
        assert secret not in await owner.page.content()

        temporary = await at(Caller(world.http, secret), own.base)
        temporary.window.heard.expected.add(401)
        await expect(temporary.page.get_by_role("heading", level=1)).to_be_visible()
        row = owner.page.get_by_role("row", name=re.compile("temporary"))
        await owner.hands.press(row.get_by_role("link", name=re.compile("Revoke")))
        await owner.press("Revoke key")
        await owner.sees_notice("Key revoked. It stopped working.")

        # By itself, since its stream ends with the key.
        await temporary.page.wait_for_url(re.compile("/console/sign-in"))
        await temporary.sees("Your session has ended.")
        assert own.name not in await temporary.page.content()


@pytest.mark.slow
async def test_the_window_of_a_revoked_key_leaves_a_page_that_follows_nothing(world, open_window):
    made = good(await world.operator.post("/api-keys", {"principal": "leaver", "role": "platform_auditor"}), 201)
    async with people_at(open_window, POINTER) as at:
        leaver = await at(Caller(world.http, made["secret"]), "/console/platform/keys")
        leaver.window.heard.expected.add(401)
        assert await leaver.page.locator("[data-live]").count() == 0
        assert (await world.operator.delete(f"/api-keys/{made['id']}", key=None)).is_success

        await leaver.page.wait_for_url(re.compile("/console/sign-in"))
        await leaver.sees("Your session has ended.")


@pytest.mark.slow
async def test_a_cookie_that_was_copied_is_worth_nothing_once_its_owner_has_signed_out(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, POINTER) as at, open_window() as thief:
        owner = await at(own.people["owner"], own.base)
        await thief.context.add_cookies(await owner.window.context.cookies())
        await thief.go(own.base)
        await owner.go("/console/sign-out")
        await owner.press("Sign out")

        await thief.page.wait_for_url(re.compile("/console/sign-in"))
        await thief.page.goto(owner.window.console_url + own.base.removeprefix("/console"))
        assert "/console/sign-in" in thief.page.url


@pytest.mark.slow
async def test_a_sign_in_link_is_used_once_and_by_its_button_alone(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, WITHOUT_SCRIPTS) as at:
        owner = await at(own.people["owner"], f"{own.base}/settings/links/new")
        await owner.write("Principal", "maria")
        await owner.choose("Role", "Auditor")
        await owner.press("Create link")
        url = await owner.page.locator(".secret code").inner_text()
    async with open_window(scripts=False) as first, open_window(scripts=False) as second:
        for window in (first, second):
            await window.page.goto(url)
            await expect(window.page.locator("main")).to_contain_text("maria")
        await first.page.get_by_role("button", name="Continue").click()
        await expect(first.page.locator(".bands")).to_contain_text("You signed in by a link of owner")
        second.heard.expected.update({401, 409, 410})
        await second.page.get_by_role("button", name="Continue").click()

        await expect(second.page.locator("main")).to_contain_text("used")
        assert await second.context.cookies() == []
