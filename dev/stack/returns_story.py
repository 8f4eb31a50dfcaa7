"""The story of two agents of a team: what each costs and brings in, and what a report of too much is worth."""

from decimal import Decimal

from dev.stack.narrator import Json, Narrator

TITLE = "What agents cost and bring in, and to which model a call is given"
MODELS = ["gpt-5", "gpt-5-mini"]


class ReturnsStory:
    """Tells it with agents of its own."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        honest, boasting = await self._agent("Seller"), await self._agent("Boaster")
        await self._route(honest)
        for agent, reported, came_in in ((honest, "30.00", "30.00"), (boasting, "150.00", "3.00")):
            await self._narrator.post(agent["name"], "/credits/use", {"amount": "100", "action": "research"})
            await self._sell(agent, reported, came_in)
        for agent, came_in in ((honest, "30.00"), (boasting, "3.00")):
            path = f"/economics/roi?id={agent['id']}"
            [row] = (await self._narrator.get("client", path))["data"]
            [used] = (await self._narrator.get("client", f"{path}&currency=CREDIT"))["data"]
            found = (row["revenue"]["confirmed"], used["costs"]["usage"])
            self._narrator.expect(f"figures of the {agent['name']}", found, (came_in, "100.00"))
            shared = f"{row['costs']['shared']} USD of costs that no agent made are shared to it"
            figures = f"used credits for {row['costs']['usage']} USD, {shared}, and {came_in} USD are confirmed"
            self._narrator.say(f"   the {agent['name']} {figures}: ROI {row['roi']}")

    async def _agent(self, name: str) -> Json:
        narrator = self._narrator
        agent = await narrator.post("client", "/agents", {"name": name, "visibility": "private"})
        key = {"principal": f"{name.lower()}-{agent['id'][-6:]}", "role": "agent", "agent_id": agent["id"]}
        narrator.keys[name] = (await narrator.post("client", "/api-keys", key))["secret"]
        return agent

    async def _route(self, agent: Json) -> None:
        """Route a call to a model and report its outcome."""
        narrator = self._narrator
        wish = {"task_kind": "translate", "candidates": MODELS, "value": "0.05", "currency": "USD"}
        made = await narrator.post(agent["name"], "/routing/decisions", {**wish, "agent_id": agent["id"]})
        narrator.expect("the choice", made["choice"] in MODELS, True)
        narrator.say(f"   a call is given to {made['choice']}, by odds of {made['odds']}")
        result = {"run_id": made["run_id"], "task_kind": "translate", "score": "0.9"}
        await narrator.post("client", "/results", result)
        outcome = (await narrator.get("client", f"/routing/decisions/{made['id']}"))["outcome"]
        narrator.expect("the outcome of the call", outcome and Decimal(outcome["score"]), Decimal("0.9"))

    async def _sell(self, agent: Json, reported: str, came_in: str) -> None:
        narrator, name = self._narrator, agent["name"]
        sold = {"source": "app_store", "reference": agent["id"], "amount": reported, "currency": "USD"}
        made = await narrator.post(name, "/revenue", sold)
        narrator.expect("what was reported", made["status"], "reported")
        line = {"reference": agent["id"], "amount": came_in, "currency": "USD"}
        await narrator.post("finance", "/revenue/confirm", {"source": "app_store", "lines": [line]})
        narrator.say(f"   the {name} reports {reported} USD, and the store's statement has {came_in} USD")
