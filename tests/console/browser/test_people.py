"""A colleague is invited by mail, enters, signs in again by mail, and is revoked."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import expect

from tests.console.browser.people import POINTER, company, people_at
from tests.e2e.conftest import World, new_key
from tests.e2e.payments.paying import until


async def link_in_mail(world: World, address: str, subject: str) -> str:
    """Wait for a mail, and return the path of the link in it."""

    async def mails() -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=world.running.mail_url or "", trust_env=False, timeout=60) as mailbox:
            found: list[dict[str, Any]] = (await mailbox.get("/mails", params={"to": address})).json()
        return [each for each in found if each["subject"].startswith(subject)]

    [mail] = await until(mails, lambda found: bool(found))
    [link] = re.findall(r"https?://\S+/console/enter/\S+", mail["text"])
    return str(urlsplit(link).path)


@pytest.mark.slow
async def test_a_colleague_is_invited_enters_and_signs_in_again_by_mail(world: World, open_window: Any) -> None:
    own = await company(world, "owner")
    address = f"maria-{new_key()}@acme.example".lower()
    async with people_at(open_window, POINTER) as at, open_window(scripts=False) as maria:
        owner = await at(own.people["owner"], own.base)
        await owner.page.get_by_role("navigation").get_by_role("link", name="Settings").click()
        await owner.page.get_by_role("navigation").get_by_role("link", name="People").click()
        await owner.press("Invite person", link=True)
        await owner.write("E-mail address", address)
        await owner.choose("Role", "Finance: payments, invoices, payouts and limits")
        await owner.press("Send invitation")
        await owner.sees_notice("Invitation sent by mail.")
        row = owner.page.get_by_role("row", name=re.compile(re.escape(address)))
        await expect(row).to_contain_text("Invited")

        invitation = await link_in_mail(world, address, "You are invited to")
        for _ in range(2):
            await maria.go(invitation)
            await expect(maria.page.locator("main")).to_contain_text(address)
        await expect(maria.page.locator("main")).to_contain_text("Invited by")
        await maria.page.get_by_role("button", name="Sign in").click()
        await expect(maria.page.locator("header.top")).to_contain_text(address)
        await maria.go("/console/sign-out")
        await maria.page.get_by_role("button", name="Sign out").click()

        await maria.page.get_by_label("E-mail address").fill(address)
        await maria.page.get_by_role("button", name="Mail me a link").click()
        await expect(maria.page.locator("main")).to_contain_text("a link was sent there")
        await maria.go(await link_in_mail(world, address, "Sign in to"))
        await maria.page.get_by_role("button", name="Sign in").click()
        await expect(maria.page.locator("header.top")).to_contain_text(address)

        await owner.go(f"{own.base}/people")
        await expect(row).to_contain_text("Active")
        await owner.hands.press(row.get_by_role("link", name=re.compile("Revoke")))
        await owner.press("Revoke")
        await owner.sees_notice("All keys, sessions and links of this name have ended.")
        maria.heard.expected.add(401)
        await maria.page.goto(maria.console_url)
        await expect(maria.page.locator("main")).to_contain_text("Mail me a link")
