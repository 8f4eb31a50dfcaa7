"""The story of an agent that asks before it buys: once it takes a free alternative, and once a person approves."""

from dev.stack.narrator import Json, Narrator

TITLE = "An agent asks before it buys, and a person approves"
AGENT = "buyer"
DAILY = "25.00"


class PurchaseStory:
    """Tells it with an agent of its own, whose budget is not used otherwise."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        agent = await narrator.post("client", "/agents", {"name": "Buyer"})
        key = {"principal": f"{AGENT}-{agent['id'][-6:]}", "role": "agent", "agent_id": agent["id"]}
        narrator.keys[AGENT] = (await narrator.post("client", "/api-keys", key))["secret"]
        budget = {
            "subject": {"type": "agent", "id": agent["id"]},
            "currency": "USD",
            "limits": [{"window": "day", "amount": DAILY}],
        }
        await narrator.post("client", "/budgets", budget)
        narrator.say(f"   the agent may buy for {DAILY} USD a day")
        await self._take_a_free_one(agent["id"])
        await self._be_granted(agent["id"])

    async def _take_a_free_one(self, agent_id: str) -> None:
        narrator = self._narrator
        order = await self._propose(agent_id, "Code completion for a year", "100.00")
        narrator.expect("what does not fit", order["status"], "declined_over_budget")
        narrator.say(f"   100.00 USD are declined: {order['decision']['sentence']}")
        instead = {"alternative_action": "Codeium", "saved": "100.00"}
        gone = await narrator.post(AGENT, f"/purchase-orders/{order['id']}/abandon", instead)
        narrator.say(f"   it takes {gone['alternative_action']} instead, which saves {gone['saved']} USD")

    async def _be_granted(self, agent_id: str) -> None:
        narrator = self._narrator
        order = await self._propose(agent_id, "A domain", "30.00", on_limit="ask")
        narrator.expect("what a person is asked", order["status"], "needs_approval")
        lifts = [{"budget_id": order["decision"]["budget_id"], "window": order["decision"]["window"]}]
        path = f"/purchase-orders/{order['id']}"
        granted = await narrator.post("finance", f"{path}/grant", {"digest": order["digest"], "lifts": lifts})
        narrator.expect("what finance has approved", granted["status"], "approved")
        narrator.say("   it asks for 30.00 USD, and finance lifts the day's limit for this purchase alone")
        await narrator.post(AGENT, f"{path}/attempts", {"method": "card"})
        bought = await narrator.post(AGENT, f"{path}/attempts/1/result", {"result": "succeeded"})
        narrator.expect("what was paid", (bought["status"], bought["spent"]), ("purchased", "30.00"))
        narrator.say(f"   it notes the attempt, pays, and reports it: {bought['spent']} USD are spent")

    async def _propose(self, agent_id: str, item: str, amount: str, **more: str) -> Json:
        body = {
            "agent_id": agent_id,
            "item": item,
            "vendor": "Example",
            "category": "tools",
            "amount": amount,
            "currency": "USD",
            "alternatives": [{"name": "Codeium", "cost": "0", "fits": False, "why": "It was not tried yet."}],
            "why": "It is needed for the report.",
        }
        return await self._narrator.post(AGENT, "/purchase-orders", {**body, **more})
