"""The story of an agent that calls a model and pays a coffee under one budget, and holds neither a key nor a number."""

import secrets
from datetime import UTC, datetime, timedelta

import httpx2

from dev.stack.narrator import Json, Narrator

TITLE = "An agent calls a model and pays a coffee, without a key and without a card number"
OWNER, AGENT = "harbour", "courier"
ADDRESS = {
    "legal_name": "Harbour Ltd",
    "line1": "1 Main Street",
    "city": "Portland",
    "postal_code": "97201",
    "region": "OR",
    "country": "US",
}
KEY = "sk-sandbox"
DAILY = "10.00"
_HELPERS = "/v1/test_helpers/issuing/authorizations"


class SecretStory:
    """Tells it with an agent, a secret and a card of its own."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._running = narrator.running

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator, running = self._narrator, self._running
        if running.litellm_url is None or not running.has_sandboxes:
            narrator.say("   A provider is set up with an account of its own, so there is no model and no shop here.")
            return
        org = await narrator.post("operator", "/organizations", {"name": f"Harbour {secrets.token_hex(2)}"})
        owner = {"organization_id": org["id"], "principal": OWNER, "role": "owner"}
        narrator.keys[OWNER] = (await narrator.post("operator", "/api-keys", owner))["secret"]
        await narrator.use_bonus(OWNER)
        top_up = {"amount": "250.00", "provider": "stripe", "payment_method": "pm_card_visa"}
        bought = await narrator.post(OWNER, "/billing/topup", top_up)
        paid = f"/payments/{bought['payment_id']}"
        await narrator.wait_for("the top-up", OWNER, paid, lambda found: found["status"] == "succeeded")
        agent = await narrator.post(OWNER, "/agents", {"name": "Courier", "visibility": "private"})
        key = {"principal": f"{AGENT}-{agent['id'][-6:]}", "role": "agent", "agent_id": agent["id"]}
        narrator.keys[AGENT] = (await narrator.post(OWNER, "/api-keys", key))["secret"]
        limits = [{"window": "day", "amount": DAILY}]
        subject = {"type": "agent", "id": agent["id"]}
        budget = await narrator.post(OWNER, "/budgets", {"subject": subject, "currency": "USD", "limits": limits})
        narrator.say(f"   the agent may spend {DAILY} USD a day, whatever for")
        await self._call(agent["id"])
        await self._pay(agent["id"])
        [window] = (await narrator.get(AGENT, f"/budgets/{budget['id']}"))["limits"]
        narrator.expect("what the budget counts", window["operating"]["spent"], "4.55")
        left = window["operating"]["remaining"]
        narrator.say(
            f"   of {DAILY} USD, {left} are left: 0.05 for the call and 4.50 for the coffee count in one budget"
        )

    async def _call(self, agent_id: str) -> None:
        """Call the model with a key that the agent never has."""
        narrator, url = self._narrator, str(self._running.litellm_url)
        path = f"api_keys/models/{agent_id}"
        host = url.removeprefix("http://")
        await narrator.put(OWNER, f"/secrets/{path}", {"kind": "api_key", "value": KEY, "hosts": [host]})
        grant = {
            "agent_id": agent_id,
            "paths": [path],
            "verbs": ["use"],
            "hosts": [host],
            "methods": ["POST"],
            "price": {"amount": "0.50"},
            "ends_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        }
        await narrator.post(OWNER, "/secrets/grants", grant)
        use = {
            "request": {
                "method": "POST",
                "url": f"{url}/v1/chat/completions",
                "body": '{"model": "gpt-5", "messages": [{"role": "user", "content": "What does a coffee cost?"}]}',
            },
            "place": {"in": "header", "name": "Authorization", "prefix": "Bearer "},
            "purpose": "Ask for the price of a coffee",
        }
        answer = await narrator.post(AGENT, f"/secrets/{path}/use", use)
        narrator.expect("the answer of the model", (answer["status"], answer["cost"]), (200, "0.50"))
        narrator.expect("the key in the answer", KEY in str(answer), False)
        narrator.say(f"   it calls a model for {answer['cost']} credits; Bursar adds the key, and the answer has none")
        refused = await narrator.be_refused(AGENT, f"/secrets/{path}/open", {"purpose": "Look"}, "secret.not_granted")
        narrator.say(f"   it asks for the key itself: {refused['detail']}")

    async def _pay(self, agent_id: str) -> None:
        """Pay with a card that the budget decides."""
        narrator = self._narrator
        await narrator.put(OWNER, "/billing/profile", ADDRESS)
        card = await narrator.post(OWNER, "/cards", {"agent_id": agent_id, "name": "Errands", "currency": "USD"})
        narrator.say(
            f"   the owner issues it a card, {card['brand']} … {card['last4']}; nobody but Stripe has the number"
        )
        transactions = f"/cards/{card['id']}/transactions"
        await narrator.steer(f"{self._running.stripe_control_url}/issuing/fund", {"amount": 100_000, "currency": "usd"})
        ref = card["card_ref"]
        coffee, flight = await self._ask(ref, 450), await self._ask(ref, 40_000)
        narrator.expect("the coffee", coffee["approved"], True)
        narrator.expect("the flight", flight["approved"], False)
        await self._stripe(f"{_HELPERS}/{coffee['id']}/capture")
        narrator.say("   4.50 USD for a coffee are approved by the budget, and 400.00 USD for a flight are declined")
        await narrator.wait_for("the capture", AGENT, transactions, _is_captured)

    async def _ask(self, ref: str, cents: int) -> Json:
        """Authorize an amount as a merchant does."""
        return await self._stripe(_HELPERS, {"card": ref, "amount": str(cents), "currency": "usd"})

    async def _stripe(self, path: str, form: Json | None = None) -> Json:
        running = self._running
        async with httpx2.AsyncClient(auth=(running.stripe_api_key or "", ""), trust_env=False, timeout=60) as stripe:
            response = await stripe.post(f"{running.stripe_api_base}{path}", data=form)
        response.raise_for_status()
        answer: Json = response.json()
        return answer


def _is_captured(found: Json) -> bool:
    return any(payment["captured"] == "4.50" for payment in found["data"])
