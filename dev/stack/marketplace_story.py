"""The story of an agent that is sold twice: for credits, which come back, and by card."""

from dev.stack.narrator import Narrator

TITLE = "An agent is sold on the marketplace, given back, and sold by card"
PRICE = "25.00"


class MarketplaceStory:
    """Tells it with an agent of its own, which nobody else buys."""

    def __init__(self, narrator: Narrator) -> None:
        """Take who tells it."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        agent = (await narrator.post("studio", "/agents", {"name": "Clause finder"}))["id"]
        offer, buying = f"/marketplace/agents/{agent}", f"/marketplace/agents/{agent}/purchase"
        await narrator.put("studio", offer, {"model": "one_time", "price": "40"})
        before = (await narrator.get("client", "/billing/balance"))["available"]
        bought = (await narrator.post("client", buying))["purchase"]
        narrator.expect("access after the purchase", bought["has_access"], True)
        narrator.say("   it costs 40.00 credits; the client buys it, and both shares are booked at once")
        back = await narrator.post("client", f"/marketplace/purchases/{bought['id']}/refund")
        after = (await narrator.get("client", "/billing/balance"))["available"]
        narrator.expect("access and credits after the refund", (back["has_access"], after), (False, before))
        narrator.say("   it gives the agent back: access and shares are gone, and the price is there again")
        await narrator.be_refused("studio", buying, {}, "marketplace.own_agent")
        await narrator.put("studio", offer, {"model": "one_time", "price": PRICE, "currency": "USD"})
        if not narrator.running.has_sandboxes:
            return
        paid = await narrator.post("client", buying, {"price": PRICE, "payment_method": "pm_card_visa"})
        payment = paid["payment"]["id"]
        library = await narrator.wait_for(
            "the agent bought by card",
            "client",
            "/marketplace/library?limit=1",
            lambda found: bool(found["data"]) and found["data"][0]["payment_id"] == payment,
        )
        narrator.expect("access after the card was charged", library["data"][0]["has_access"], True)
        rows = (await narrator.get("studio", "/billing/earnings"))["data"]
        earned = {row["asset"]: row["earned"] for row in rows if row["agent_id"] == agent}
        narrator.expect("what the studio earned by card", earned.get("USD"), "22.50")
        narrator.say(f"   for {PRICE} USD by card: access with the money, 22.50 for the studio, 2.50 commission")
