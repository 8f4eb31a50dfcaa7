"""The demo's scene in the web console: a person without a key enters by a link, signs for a delivery, and money moves.

It does what a browser without scripts does: it opens pages, and sends their forms as they are.
"""

import re

import httpx2

from dev.stack.narrator import Narrator, StoryEnded

TITLE = "Somebody enters the console by a link, without a key, and signs for a delivery"
GUEST = "finance"
#: What a browser says of a form on a page of the console.
OWN = {"Sec-Fetch-Site": "same-origin"}


class ConsoleStory:
    """Tells it of an escrow that waits for the signature of one person."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        escrow_id = await self._delivered()
        org_id = narrator.running.ids["client_org"]
        path = f"/console/{org_id}/escrows/{escrow_id}"
        link = await narrator.post("client", "/sessions/links", {"principal": GUEST, "role": "finance", "path": path})
        narrator.say(f"   the owner makes a link for {GUEST}, good once: {link['id']}")
        async with httpx2.AsyncClient(base_url=narrator.running.api_url, trust_env=False, timeout=60) as browser:
            entered = await self._send(browser, link["url"], "/console/enter")
            narrator.expect("where the link leads", entered, path)
            narrator.say(f"   it leads to the escrow, where {GUEST} sees: {await self._waits(browser, path)}")
            await self._send(browser, f"{path}/approve", f"{path}/approve")
            settled = await narrator.get("client", f"/escrows/{escrow_id}")
            narrator.expect("status after the form was sent", settled["status"], "released")
            narrator.say(f"   the form is sent: {settled['released_amount']} released to the agent")
        async with httpx2.AsyncClient(base_url=narrator.running.api_url, trust_env=False, timeout=60) as other:
            token = link["url"].rpartition("/")[2]
            again = await other.post("/console/enter", data={"token": token}, headers=OWN)
            narrator.expect("whether the link opens a second session", "set-cookie" in again.headers, False)
            narrator.say(f"   the link once more: {again.status_code}, it was used")
        narrator.say(f"   page {narrator.running.api_url}{path}")

    async def _delivered(self) -> str:
        narrator = self._narrator
        award = {
            "agent_id": narrator.running.ids["agent"],
            "title": "Translate the summary",
            "price": "20.00",
            "currency": "CREDIT",
            "signatories": [GUEST],
            "required_signatures": 1,
        }
        contract = await narrator.post("client", "/contracts", award)
        escrow_id = (await narrator.post("client", "/escrows", {"contract_id": contract["id"]}))["id"]
        await narrator.post("client", f"/escrows/{escrow_id}/fund", {"source": "credits"})
        await narrator.post("agent", f"/escrows/{escrow_id}/delivery", {"note": "The summary, in French"})
        narrator.say(f"   20.00 credits are held, and the agent has delivered ({escrow_id})")
        return str(escrow_id)

    async def _waits(self, browser: httpx2.AsyncClient, path: str) -> str:
        page = await browser.get(path)
        lead = re.search(r'<p class="lead">(.*?)</p>', page.text, re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", "", lead.group(1)).split()) if lead else "nothing"

    async def _send(self, browser: httpx2.AsyncClient, page: str, form: str) -> str:
        """Open a page, send its form, and return where that leads; raises StoryEnded when it does not."""
        shown = await browser.get(page)
        found = re.search(rf'<form[^>]* action="{re.escape(form)}"[^>]*>(.*?)</form>', shown.text, re.DOTALL)
        hidden = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
        fields = dict(re.findall(hidden, found.group(1))) if found else {}
        answer = await browser.post(form, data=fields, headers=OWN)
        if answer.status_code != 303:
            self._narrator.problems.append(f"the form of {page} was answered with {answer.status_code}")
            raise StoryEnded
        return str(answer.headers["location"].partition("?")[0])
