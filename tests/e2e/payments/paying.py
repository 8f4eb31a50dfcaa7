"""Payers on the running stack, and what they, their banks and their networks do at the sandboxes of the providers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from dev.stack.running import Running
from tests.e2e.conftest import Caller, World, good

Json = dict[str, Any]

PATIENCE_SECONDS = 300
PAUSE_SECONDS = 0.05
CARD: Json = {"provider": "stripe", "payment_method": "pm_card_visa"}


async def until(read: Callable[[], Any], reached: Callable[[Any], bool]) -> Any:
    """Read again and again until what is read is as it must become; fail with the latest when it never is."""
    found = None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached(found := await read()):  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not after {PATIENCE_SECONDS} s: {found}") from None
    return found


@dataclass(frozen=True)
class Sandboxes:
    """The control surfaces, and Stripe's own API as its account sees it."""

    running: Running
    http: httpx2.AsyncClient

    async def stripe(self, control: str, **body: Any) -> Json:
        return await self._steer(f"{self.running.stripe_control_url}/{control}", body)

    async def paypal(self, control: str, **body: Any) -> Json:
        return await self._steer(f"{self.running.paypal_api_base}/_control/{control}", body)

    async def chains(self, control: str, **body: Any) -> Json:
        return await self._steer(f"{self.running.chains_url}/_control/{control}", body)

    async def send(self, deposit: Json, amount: str | None = None, *, mine: int = 3) -> Json:
        """Send coins to where a payment wants them, and make blocks."""
        chain = {"BTC": "btc", "ETH": "evm", "USDC": "evm", "TON": "ton"}[deposit["asset"]]
        body = {name: deposit[name] for name in ("address", "asset")} | {"amount": amount or deposit["amount"]}
        memo = {"memo": deposit["memo"]} if deposit.get("memo") else {}
        return await self.chains(f"{chain}/deposit", **body, **memo, mine=mine)

    async def check_out(self, url: str, payment_method: str = "pm_card_visa", **body: Any) -> Json:
        """Pay on a hosted page of Stripe's."""
        session = url.rpartition("/")[2]
        return await self.stripe("checkout", session=session, payment_method=payment_method, **body)

    async def approve(self, url: str) -> str:
        """Approve an order on PayPal's page, and return its id."""
        order = url.rpartition("=")[2]
        await self.paypal(f"orders/{order}/approve")
        return order

    async def at_stripe(self, kind: str, **query: str) -> list[Json]:
        """List objects at Stripe, newest first."""
        headers = {"Authorization": f"Bearer {self.running.stripe_api_key}"}
        url = f"{self.running.stripe_api_base}/v1/{kind}"
        answer = await self.http.get(url, headers=headers, params={"limit": "100", **query})
        assert answer.status_code == 200, answer.text
        listed: list[Json] = answer.json()["data"]
        return listed

    async def stored_card(self) -> str:
        """Return a card of some other customer at Stripe."""
        headers = {"Authorization": f"Bearer {self.running.stripe_api_key}"}
        made = await self.http.post(f"{self.running.stripe_api_base}/v1/customers", headers=headers)
        return await self.store("pm_card_visa", made.json()["id"])

    async def store(self, card: str, customer: str) -> str:
        """Store a card with a customer at Stripe, and return its id."""
        headers = {"Authorization": f"Bearer {self.running.stripe_api_key}"}
        attach = f"{self.running.stripe_api_base}/v1/payment_methods/{card}/attach"
        answer = await self.http.post(attach, headers=headers, data={"customer": customer})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def merchant(self, step: str, **form: str) -> Json:
        """Do what a merchant does with an issued card, by Stripe's test helper of this path."""
        headers = {"Authorization": f"Bearer {self.running.stripe_api_key}"}
        url = f"{self.running.stripe_api_base}/v1/test_helpers/issuing/{step}"
        answer = await self.http.post(url, headers=headers, data=form)
        assert answer.status_code == 200, answer.text
        done: Json = answer.json()
        return done

    async def captures_of(self, order_id: str) -> list[Json]:
        """List what PayPal has captured of an order."""
        answer = await self.http.get(f"{self.running.paypal_api_base}/_control/orders")
        [order] = [order for order in answer.json()["orders"] if order["id"] == order_id]
        captures: list[Json] = order["purchase_units"][0]["payments"]["captures"]
        return captures

    async def intents_of(self, payment_id: str) -> list[Json]:
        """List every payment intent at Stripe that was made for a payment."""
        return await self.at_stripe("payment_intents/search", query=f"metadata['payment_id']:'{payment_id}'")

    async def _steer(self, url: str, body: Json) -> Json:
        answer = await self.http.post(url, json=body)
        assert answer.status_code == 200, answer.text
        content: Json = answer.json()
        return content


@dataclass(frozen=True)
class Payer:
    """The owner of an organization that begins with nothing."""

    world: World
    org_id: str
    caller: Caller

    async def top_up(self, amount: str = "100.00", **means: Any) -> Json:
        return good(await self.caller.post("/billing/topup", {"amount": amount, **means}), 201)

    async def pay(self, status: str = "succeeded", **body: Any) -> Json:
        """Make a payment and wait until it is there."""
        made = good(await self.caller.post("/payments", {"amount": "10.00", "currency": "USD", **CARD, **body}), 201)
        return await self.settled(made, status)

    async def look(self, payment: Json) -> Json:
        return good(await self.caller.get(f"/payments/{payment.get('payment_id') or payment['id']}"))

    async def settled(self, payment: Json, status: str = "succeeded") -> Json:
        """Wait until a payment is in a state."""
        reached: Json = await until(lambda: self.look(payment), lambda found: found["status"] == status)
        return reached

    async def refund(self, payment: Json, amount: str | None = None, **options: Any) -> httpx2.Response:
        body = {} if amount is None else {"amount": amount}
        return await self.caller.post(f"/payments/{payment['id']}/refunds", body, **options)

    async def timeline(self, payment: Json) -> list[Json]:
        found: list[Json] = good(await self.caller.get(f"/payments/{payment['id']}/timeline"))["data"]
        return found

    async def charge_of(self, payment: Json) -> str:
        """Return the provider's id of what was received."""
        received = (step["details"] for step in await self.timeline(payment) if step["kind"] == "received")
        return str(next(received)["movement"])

    async def balance(self) -> tuple[str, str]:
        """Return the credits that are available, and those that are owed."""
        found = good(await self.caller.get("/billing/balance"))
        return found["available"], found["owed"]

    async def spend(self, amount: str) -> Json:
        """Spend credits on an escrow that is released at once."""
        escrow = await self.escrow(amount, "CREDIT")
        path = f"/escrows/{escrow['id']}"
        good(await self.caller.post(f"{path}/fund", {"source": "credits"}))
        good(await self.world.agent.post(f"{path}/delivery", {"note": "Done"}))
        released = good(await self.world.validator.post(f"{path}/validation", {"score": "1"}))
        assert released["status"] == "released"
        return released

    async def escrow(self, price: str, currency: str = "USD") -> Json:
        award: Json = {"title": "Paid from outside", "price": price, "currency": currency}
        signs = {"validation_threshold": "0.80", "signatories": ["owner"], "required_signatures": 1}
        award |= {"agent_id": self.world.running.ids["agent"], **signs}
        contract = good(await self.caller.post("/contracts", award), 201)
        return good(await self.caller.post("/escrows", {"contract_id": contract["id"]}), 201)

    async def escrow_in(self, escrow: Json, status: str) -> Json:
        async def look() -> Json:
            return good(await self.caller.get(f"/escrows/{escrow['id']}"))

        reached: Json = await until(look, lambda found: found["status"] == status)
        return reached
