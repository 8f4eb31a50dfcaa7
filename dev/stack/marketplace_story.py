"""The story of agents that are sold: for credits, which come back, by use, and by card; and of a referral."""

from decimal import Decimal

from dev.stack.narrator import Narrator

TITLE = "An agent is sold on the marketplace, given back, and sold by card"
PRICE = "25.00"


class MarketplaceStory:
    """Tells it with an agent of its own, which is not bought otherwise."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
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
        await self._by_use()
        await self._referral()
        await narrator.put("studio", offer, {"model": "one_time", "price": PRICE, "currency": "USD"})
        if not narrator.running.has_sandboxes:
            return
        wish = {"price": PRICE, "currency": "USD", "payment_method": "pm_card_visa"}
        paid = await narrator.post("client", buying, wish)
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

    async def _by_use(self) -> None:
        """Use an agent that is priced by usage: at once, and of a reservation."""
        narrator = self._narrator
        agent = (await narrator.post("studio", "/agents", {"name": "Page reader"}))["id"]
        offer = {"model": "usage", "prices": {"page": "0.25"}}
        await narrator.put("studio", f"/marketplace/agents/{agent}", offer)
        page = {"payee_agent_id": agent, "action": "page"}
        await narrator.be_refused("client", "/credits/use", page, "marketplace.not_in_library")
        await narrator.post("client", f"/marketplace/agents/{agent}/purchase")
        used = await narrator.post("client", "/credits/use", {**page, "quantity": 12})
        held = await narrator.post("client", "/credits/reserve", {**page, "quantity": 40})
        path = f"/credits/reservations/{held['id']}/capture"
        captured = await narrator.post("client", path, {"quantity": 28})
        found = (used["amount"], held["amount"], captured["captured"], captured["released"])
        narrator.expect("what pages cost", found, ("3.00", "10.00", "7.00", "3.00"))
        rows = (await narrator.get("studio", "/credits/earnings"))["data"]
        [row] = [each for each in rows if each["agent_id"] == agent]
        earned = sum(Decimal(row[kind]["amount"]) for kind in ("granted", "paid"))
        narrator.expect("what the studio earned by pages", earned, Decimal("9.00"))
        narrator.say("   another agent costs 0.25 a page: 12 pages for 3.00, and 28 of 40 that were reserved for 7.00;")
        narrator.say("   the studio has 90 % of each at once, 9.00, whatever it asks for a page tomorrow")

    async def _referral(self) -> None:
        """Create an organization that the client referred."""
        narrator = self._narrator
        client = narrator.running.ids["client_org"]
        brought = await narrator.post("operator", "/organizations", {"name": "Brightside", "referred_by": client})
        rows = (await narrator.get("client", "/referrals"))["data"]
        [referral] = [each for each in rows if each["organization_id"] == brought["id"]]
        narrator.expect("the referral", referral["status"], "waiting")
        narrator.say("   the client has brought an organization: the reward waits until the platform has earned it")
