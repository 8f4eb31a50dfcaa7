"""Credits are bought on the providers' pages of the sandbox; what the return page says is what the books hold."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.console.browser.people import (
    KEYBOARD,
    POINTER,
    TELEPHONE,
    WITHOUT_SCRIPTS,
    Company,
    Person,
    company,
    path_of,
    people_at,
)
from tests.e2e.conftest import good
from tests.e2e.payments.paying import Sandboxes

DECLINED, ASKS_THE_BANK = "4000 0000 0000 0002", "4000 0027 6000 3184"
NUMBER = "Card number, account number or IBAN"


async def at_the_provider(person: Person, buyer: Company, by: str, host: str) -> str:
    """Choose how many credits and how to pay, and be led to the provider's page; return the payment's own page."""
    person.window.heard.hosts.add(host)
    await person.go(f"{buyer.base}/top-up")
    await person.write("Number of credits", "120")
    await person.tick(re.compile(f"^{by}"))
    await person.press("Continue")
    await person.sees("120.00 credits")
    await person.hands.press(person.main.get_by_role("button", name=re.compile("^Pay ")))
    await person.page.wait_for_url(lambda address: urlsplit(address).netloc == host)
    [payment] = good(await buyer.people["owner"].get("/payments", params={"status": "requires_action"}))["data"]
    return f"{buyer.base}/payments/{payment['id']}"


@pytest.mark.parametrize("way", [TELEPHONE, pytest.param(WITHOUT_SCRIPTS, marks=pytest.mark.slow)])
async def test_a_card_is_declined_then_not_confirmed_then_buys_credits(world, open_window, way):
    buyer = await company(world, "owner")
    async with people_at(open_window, way) as at:
        other = await at(buyer.people["owner"], buyer.base)
        await other.stay()
        await expect(await other.credits()).to_contain_text("0.00")
        owner = await at(buyer.people["owner"])
        owner.window.heard.expected.add(402)
        stripe = urlsplit(world.running.stripe_api_base).netloc
        payment = await at_the_provider(owner, buyer, "Card", stripe)

        await owner.write(NUMBER, DECLINED)
        await owner.press("Pay")
        await owner.sees("The bank declined this card.")
        await expect(await other.credits()).to_have_text("Available: 0.00\N{NO-BREAK SPACE}credits")
        await owner.write(NUMBER, ASKS_THE_BANK)
        await owner.press("Pay")
        await owner.sees("Your bank asks: is it you who pays?")
        await owner.press("Fail the authentication")
        # The bank leads back to the checkout, which takes another try.
        await owner.page.wait_for_url(lambda address: "/3ds/" not in address)
        if "/return" in owner.page.url:
            await owner.press("Continue paying", link=True)
        await owner.write(NUMBER, ASKS_THE_BANK)
        await owner.press("Pay")
        await owner.press("Authorise")

        await owner.page.wait_for_url(lambda address: urlsplit(address).path == f"{payment}/return")
        await owner.sees("Paid", "120.00 credits")
        await expect(await other.credits()).to_contain_text("120.00")
        await other.stayed()
        assert owner.window.heard.complaints == []
    assert good(await buyer.people["owner"].get("/billing/balance"))["available"] == "120.00"


@pytest.mark.slow
async def test_an_invented_return_says_what_the_books_say(world, open_window):
    buyer = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"])
        payment = await at_the_provider(owner, buyer, "Card", urlsplit(world.running.stripe_api_base).netloc)
        await owner.go(f"{payment}/return?status=success&redirect_status=succeeded")

        await owner.sees("Not paid yet")
        await expect(await owner.credits()).to_contain_text("0.00")


@pytest.mark.parametrize("way", [pytest.param(KEYBOARD, marks=pytest.mark.slow), WITHOUT_SCRIPTS])
async def test_credits_are_added_from_any_page_and_priced_before_anything_is_made(world, open_window, way):
    buyer = await company(world, "owner")
    async with people_at(open_window, way) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/projects")
        await owner.hands.press(owner.page.get_by_role("link", name="Add credits", exact=True).first)
        await expect(owner.main.get_by_role("heading", name="Add credits")).to_be_visible()
        assert (path_of(owner.page) == f"{buyer.base}/projects") is owner.scripts
        if owner.scripts:
            assert await owner.window.findings() == []
        await owner.write("Number of credits", "120")
        await owner.tick(re.compile("^Card"))
        await owner.press("Continue")

        await owner.page.wait_for_url(re.compile(r"/top-up\?"))
        await expect(owner.main.get_by_role("button", name=re.compile("^Pay "))).to_be_visible()
        await owner.sees("120.00 credits")
        assert good(await buyer.people["owner"].get("/payments"))["data"] == []


@pytest.mark.slow
async def test_paypal_buys_credits(world, open_window):
    buyer = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"])
        payment = await at_the_provider(owner, buyer, "PayPal", urlsplit(world.running.paypal_api_base).netloc)
        await owner.hands.press(owner.page.get_by_role("button", name="Approve"))

        await owner.page.wait_for_url(lambda address: urlsplit(address).path == f"{payment}/return")
        await owner.sees("Paid", "120.00 credits")
        assert owner.window.heard.complaints == []


@pytest.mark.slow
async def test_coins_buy_credits_when_the_network_has_confirmed_them(world, open_window):
    buyer = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/top-up")
        await owner.write("Number of credits", "120")
        await owner.tick(re.compile("^BTC"))
        await owner.press("Continue")
        await owner.hands.press(owner.main.get_by_role("button", name=re.compile("^Pay ")))
        await owner.sees_notice("Send the coins to the address below.")
        await expect(owner.page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
        await owner.stay()
        payment = path_of(owner.page).rpartition("/")[2]
        deposit = good(await buyer.people["owner"].get(f"/payments/{payment}"))["deposit"]
        assert deposit["address"] in await owner.text()
        await expect(owner.page.get_by_role("timer")).to_have_text(re.compile(r"\d+:\d\d:\d\d left"))
        await Sandboxes(world.running, world.http).send(deposit)

        await owner.sees("Paid")
        await owner.stayed()
        await expect(await owner.credits()).to_contain_text("120.00")
