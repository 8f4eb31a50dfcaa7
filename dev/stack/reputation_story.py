"""The story of two agents whose ten jobs go differently, of the scores that follow, and of what follows from those.

Only purchased credits count, so the client buys them by card, and the payment sandbox must be there.
"""

import secrets
from decimal import Decimal

from dev.stack.narrator import Json, Narrator
from dev.stack.stories import WORK

TITLE = "Two agents do ten jobs: the scores, and the prices that follow"
PRICE = "1000.00"
CLIENT = "reputation-client"
#: By agent, the validator's score of each job; None is work that the studio has to take back.
JOBS: dict[str, tuple[str | None, ...]] = {
    "Careful": ("0.95", "0.92", "0.97", "0.94", "0.96"),
    "Hasty": ("0.90", None, "0.85", None, "0.88"),
}
#: Sellers whose score is surely 3 of 10 or more may ask for more, up to a fifth at 9.
PREMIUM = {
    "type": "reputation",
    "whose": "seller",
    "multiplier": "1.20",
    "from_score": "3.00",
    "full_score": "9.00",
    "least_evidence": 5,
}


class ReputationStory:
    """Tells it with a client and two studios of its own, and with a rule for each agent that ends with the story."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._agents: dict[str, str] = {}

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        if not narrator.running.has_sandboxes:
            narrator.say("   A provider is set up with an account of its own, so nobody buys credits here.")
            return
        await self._join()
        before = await self._prices()
        narrator.say(f"   both ask {PRICE} for a job, nobody knows them, and the client pays {before['Careful']}")
        narrator.expect("prices before any job", set(before.values()), {PRICE})
        for name, scores in JOBS.items():
            outcomes = [await self._job(name, score) for score in scores]
            narrator.say(f"   {name:<8} five jobs   {' · '.join(outcomes)}")
        rules = [await self._add_rule(name) for name in JOBS]
        try:
            await self._show()
        finally:
            for rule in rules:
                await narrator.delete("operator", f"/pricing/rules/{rule}")

    async def _join(self) -> None:
        narrator, names = self._narrator, ("Harbour", *JOBS)
        for name in names:
            org = await narrator.post("operator", "/organizations", {"name": f"{name} {secrets.token_hex(2)}"})
            role = CLIENT if name == "Harbour" else name
            key = {"organization_id": org["id"], "principal": "owner", "role": "owner"}
            narrator.keys[role] = (await narrator.post("operator", "/api-keys", key))["secret"]
        await narrator.use_bonus(CLIENT)
        top_up = {"amount": "10000.00", "provider": "stripe", "payment_method": "pm_card_visa"}
        await narrator.post(CLIENT, "/billing/topup", top_up)
        await narrator.wait_for("credits", CLIENT, "/billing/balance", lambda found: found["available"] == "10000.00")
        narrator.say("   the client buys 10,000 credits by card: what was given away makes no reputation")
        pricing = {"model": "one_time", "amount": PRICE, "currency": "CREDIT"}
        for name in JOBS:
            listing = {"name": name, "visibility": "public", "pricing": pricing}
            self._agents[name] = (await narrator.post(name, "/agents", listing))["id"]

    async def _job(self, name: str, score: str | None) -> str:
        """Play a job to its end and say how it ended."""
        narrator = self._narrator
        job = {"agent_id": self._agents[name], "title": "A chart of the harbour", "price": PRICE}
        contract = await narrator.post(CLIENT, "/contracts", job)
        path = f"/escrows/{(await narrator.post(CLIENT, '/escrows', {'contract_id': contract['id']}))['id']}"
        await narrator.post(CLIENT, f"{path}/fund", {"source": "credits"})
        escrow = await narrator.post(name, f"{path}/delivery", WORK)
        if score is None:
            escrow = await narrator.post(name, f"{path}/refunds")
        else:
            escrow = await narrator.post("validator", f"{path}/validation", {"score": score})
        narrator.expect(f"a job of {name}", escrow["status"], "refunded" if score is None else "released")
        return "refunded" if score is None else score

    async def _add_rule(self, name: str) -> str:
        # Any free priority: the stack may have rules of its user.
        rule = {"name": "known for good work", "priority": 5_000 + secrets.randbelow(3_000), "terms": PREMIUM}
        made = await self._narrator.post("operator", "/pricing/rules", {**rule, "agent_id": self._agents[name]})
        return str(made["id"])

    async def _prices(self) -> dict[str, str]:
        found = {name: await self._price(agent_id) for name, agent_id in self._agents.items()}
        return {name: price["adjusted_price"] for name, price in found.items()}

    async def _price(self, agent_id: str, role: str = CLIENT) -> Json:
        return await self._narrator.get(role, f"/payments/pricing/{agent_id}")

    async def _show(self) -> None:
        """Show the scores, and what a new client and the one that paid for the jobs pay now, with the reasons."""
        narrator, scores, prices = self._narrator, [], []
        narrator.say("\n             score   between        success   events   a new client pays   this client pays")
        for name, agent_id in self._agents.items():
            score = await narrator.get(CLIENT, f"/reputation/score/{agent_id}")
            new, known = await self._price(agent_id, "client"), await self._price(agent_id)
            scores.append(Decimal(str(score["overall_score"])))
            prices.append(Decimal(new["adjusted_price"]))
            interval = f"{score['low']:.2f} to {score['high']:.2f}"
            narrator.say(
                f"   {name:<8}  {score['overall_score']:>5.2f}   {interval:<14} {score['task_success_rate']:>5.1f} %"
                f"   {score['evidence_count']:>6}   {new['adjusted_price']:>17}   {known['adjusted_price']:>16}"
            )
        narrator.say("\n   what this client pays Careful, line by line")
        for line in (await self._price(self._agents["Careful"]))["adjustments"]:
            narrator.say(f"     {line['multiplier']:<6}  {line['description']}")
        narrator.expect("Careful scores higher", scores[0] > scores[1], True)
        narrator.expect("Careful may ask for more", prices[0] > prices[1] > Decimal(PRICE), True)
