"""Payers, banks and the hands at the providers' own sites: what happens at the sandboxes while everything is killed.

Each act looks first whether it is done, so that one whose answer was lost is not done twice.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import stripe

from dev.stack.sandboxes import Sandboxes
from providers.payments.stripe import Client, make_client
from providers.payments.stripe.fields import metadata_of

Json = dict[str, Any]

#: Shorter than a sandbox stays silent when it is told to.
PATIENCE_SECONDS = 2.0
#: After this a payer gives up, and the run has failed.
GIVES_UP_AFTER_SECONDS = 180.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
PUBLISHABLE_KEY = "pk_test_sandbox"
#: Where coins of an asset are sent at the chains' sandbox.
CHAINS = {"BTC": "btc", "ETH": "evm", "USDC": "evm", "TON": "ton"}


class NotDone(Exception):
    """Somebody could not do their part; the message says what."""


def stripe_client(sandboxes: Sandboxes) -> Client:
    """Return the official SDK's client of the stack's sandbox; the caller closes it."""
    base, key = sandboxes.dev["stripe_api_base"], sandboxes.dev["stripe_api_key"]
    assert base is not None
    assert key is not None
    return make_client(key, api_base=base, timeout_seconds=int(PATIENCE_SECONDS))


class Payers:
    """Acts at the sandboxes until what was meant is so."""

    def __init__(self, sandboxes: Sandboxes, seed: str) -> None:
        self._stripe_url = str(sandboxes.dev["stripe_api_base"])
        self._paypal_url = str(sandboxes.dev["paypal_api_base"])
        self._chains_url = str(sandboxes.dev["chains_url"])
        self._http = httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS)
        self._sdk = stripe_client(sandboxes)
        self._rng = random.Random(seed)
        self.stripe = self._sdk.v1

    async def close(self) -> None:
        await self._http.aclose()
        await self._sdk.aclose()

    async def until(
        self, what: str, is_done: Callable[[], Awaitable[bool]], act: Callable[[], Awaitable[object]]
    ) -> None:
        """Act, and again while it is not done; raises NotDone."""
        began, pause, trouble = time.monotonic(), FIRST_PAUSE_SECONDS, "nothing went wrong"
        while time.monotonic() - began < GIVES_UP_AFTER_SECONDS:
            try:
                if await is_done():
                    return
                await act()
                if await is_done():
                    return
            except (httpx2.HTTPError, stripe.StripeError, ValueError, KeyError) as error:  # the latter: garbage
                trouble = f"{type(error).__name__}: {error}"
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        raise NotDone(f"{what}: not within {GIVES_UP_AFTER_SECONDS:.0f} s; last: {trouble}")

    async def control(self, base: str, path: str, body: Json | None = None) -> Json:
        """Steer a sandbox; what it refuses may have been done before."""
        response = await self._http.post(f"{base}/_control/{path}", json=body or {})
        if response.status_code >= 500:
            response.raise_for_status()
        answer: Json = response.json()
        return answer

    # Stripe -----------------------------------------------------------------------------------------------------------

    async def pay(self, client_secret: str, card: str, ends: str) -> None:
        """Confirm a payment as a page in a browser does, until it `ends` in this status or is declined."""
        intent_id = client_secret.partition("_secret_")[0]
        url = f"{self._stripe_url}/v1/payment_intents/{intent_id}"
        headers = {"Authorization": f"Bearer {PUBLISHABLE_KEY}"}

        async def is_done() -> bool:
            response = await self._http.get(url, params={"client_secret": client_secret}, headers=headers)
            response.raise_for_status()
            intent = response.json()
            return (intent.get("last_payment_error") is not None) if ends == "declined" else intent["status"] == ends

        async def confirm() -> None:
            form = {"payment_method": card, "client_secret": client_secret, "return_url": "https://example.com/"}
            await self._http.post(f"{url}/confirm", data=form, headers=headers)

        await self.until(f"paying {intent_id} with {card}", is_done, confirm)

    async def steer_intent(self, control: str, intent_id: str, outcome: str, ends: str) -> None:
        """End the 3-D Secure or the bank debit of a payment."""

        async def is_done() -> bool:
            return (await self.stripe.payment_intents.retrieve_async(intent_id)).status == ends

        async def act() -> None:
            await self.control(self._stripe_url, control, {"payment_intent": intent_id, "outcome": outcome})

        await self.until(f"{control} of {intent_id}", is_done, act)

    async def check_out(self, session_id: str, card: str) -> None:
        """Pay on the hosted page."""

        async def is_done() -> bool:
            return (await self.stripe.checkout.sessions.retrieve_async(session_id)).status == "complete"

        async def act() -> None:
            await self.control(self._stripe_url, "checkout", {"session": session_id, "payment_method": card})

        await self.until(f"checking out {session_id}", is_done, act)

    async def refund_there(self, intent_id: str, amount: int) -> None:
        """Refund at the provider's own site."""

        async def is_done() -> bool:
            return bool((await self.stripe.refunds.list_async({"payment_intent": intent_id})).data)

        async def act() -> None:
            await self.stripe.refunds.create_async({"payment_intent": intent_id, "amount": amount})

        await self.until(f"refunding {intent_id} there", is_done, act)

    async def fail_refund(self, intent_id: str) -> None:
        """Fail a refund, as the bank."""

        async def is_done() -> bool:
            refunds = (await self.stripe.refunds.list_async({"payment_intent": intent_id})).data
            return bool(refunds) and all(refund.status == "failed" for refund in refunds)

        async def act() -> None:
            for refund in (await self.stripe.refunds.list_async({"payment_intent": intent_id})).data:
                await self.control(self._stripe_url, "refund", {"refund": refund.id, "outcome": "fail"})

        await self.until(f"failing the refund of {intent_id}", is_done, act)

    async def dispute(self, intent_id: str) -> str:
        """Dispute a payment; returns the dispute's id."""
        found: list[str] = []

        async def is_done() -> bool:
            listed = (await self.stripe.disputes.list_async({"payment_intent": intent_id})).data
            found[:] = [dispute.id for dispute in listed]
            return bool(found)

        async def act() -> None:
            await self.control(self._stripe_url, "dispute", {"payment_intent": intent_id})

        await self.until(f"disputing {intent_id}", is_done, act)
        return found[0]

    async def decide(self, dispute_id: str, outcome: str) -> None:
        """Decide a dispute, as the bank."""

        async def is_done() -> bool:
            return (await self.stripe.disputes.retrieve_async(dispute_id)).status == outcome

        async def act() -> None:
            await self.control(self._stripe_url, "dispute/close", {"dispute": dispute_id, "outcome": outcome})

        await self.until(f"deciding {dispute_id}", is_done, act)

    async def store_method(self, customer_id: str, card: str) -> str:
        """Attach a card to a customer; returns the method's id."""
        found: list[str] = []

        async def is_done() -> bool:
            listed = (await self.stripe.payment_methods.list_async({"customer": customer_id, "limit": 100})).data
            found[:] = [method.id for method in listed if metadata_of(method, "card") == card]
            return bool(found)

        async def act() -> None:
            method = await self.stripe.payment_methods.attach_async(card, {"customer": customer_id})
            await self.stripe.payment_methods.update_async(method.id, {"metadata": {"card": card}})

        await self.until(f"storing {card}", is_done, act)
        return found[0]

    # PayPal -----------------------------------------------------------------------------------------------------------

    async def orders(self) -> dict[str, Json]:
        """Every order at PayPal, by id."""
        response = await self._http.get(f"{self._paypal_url}/_control/orders")
        response.raise_for_status()
        return {order["id"]: order for order in response.json()["orders"]}

    async def approve(self, order_id: str) -> None:
        """Approve an order as its payer."""

        async def is_done() -> bool:
            return (await self.orders())[order_id]["status"] in {"APPROVED", "COMPLETED"}

        async def act() -> None:
            await self.control(self._paypal_url, f"orders/{order_id}/approve")

        await self.until(f"approving {order_id}", is_done, act)

    async def reverse(self, order_id: str) -> None:
        """Charge a capture back, as the payer's bank."""

        async def is_done() -> bool:
            return bool(_payments((await self.orders())[order_id], "refunds"))

        async def act() -> None:
            for capture in _payments((await self.orders())[order_id], "captures"):
                await self.control(self._paypal_url, f"captures/{capture['id']}/reverse")

        await self.until(f"reversing {order_id}", is_done, act)

    # Coins ------------------------------------------------------------------------------------------------------------

    async def send_coins(self, deposit: Json) -> None:
        """Send the coins that a payment waits for, once."""
        chain, asset = CHAINS[deposit["asset"]], deposit["asset"]
        body = {name: deposit.get(name) for name in ("address", "amount", "asset", "memo")}

        async def is_done() -> bool:
            return await self._arrived(asset, deposit["address"], deposit.get("memo"))

        async def act() -> None:
            # What an earlier attempt left waiting comes into this block, and is seen before anything is sent again.
            await self.control(self._chains_url, f"{chain}/mine", {"blocks": 1})
            if not await is_done():
                await self.control(self._chains_url, f"{chain}/deposit", body | {"mine": 1})

        await self.until(f"sending {deposit['amount']} {asset} to {deposit['address']}", is_done, act)

    async def _arrived(self, asset: str, address: str, memo: str | None) -> bool:
        if asset == "BTC":
            response = await self._http.get(f"{self._chains_url}/btc/api/address/{address}/txs")
            response.raise_for_status()
            return bool(response.json())
        if asset == "TON":
            query = {"account": address, "limit": "1000", "sort": "desc"}
            response = await self._http.get(f"{self._chains_url}/ton/api/v3/transactions", params=query)
            response.raise_for_status()
            bodies = [each["in_msg"]["message_content"]["decoded"] for each in response.json()["transactions"]]
            return any(body and body["comment"] == memo for body in bodies)
        health = (await self._http.get(f"{self._chains_url}/_control/health")).json()
        balance_of = "0x70a08231" + address.removeprefix("0x").rjust(64, "0")
        call = {"to": health["usdc_contract"], "data": balance_of}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        response = await self._http.post(f"{self._chains_url}/evm", json=asked)
        return int(response.json()["result"], 16) > 0


def _payments(order: Json, kind: str) -> list[Json]:
    return [payment for unit in order["purchase_units"] for payment in unit.get("payments", {}).get(kind, [])]
