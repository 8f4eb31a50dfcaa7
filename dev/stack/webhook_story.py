"""The story of a platform's server that learns of an escrow by webhooks, and misses none although it fails.

In the end the server is taken away, and a person has a mail about it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import httpx2
from standardwebhooks import Webhook, WebhookVerificationError

from dev.stack.narrator import Json, Narrator, StoryEnded
from dev.stack.receiver import listening

TITLE = "A server learns of an escrow by webhooks, and misses none although it fails"
TYPES = ["escrow.opened", "escrow.funded", "escrow.cancel_requested"]
#: How long the story waits for a webhook, and for a mail, in seconds.
PATIENCE, MAIL_PATIENCE = 300, 300
#: The security contact to set if the client has none.
CONTACT = {"email": "security@acme.example", "purposes": ["security"]}


class Receiver:
    """A server as a platform has one: it verifies, keeps what it has not seen, and answers."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.events: dict[str, Json] = {}
        self.forged = 0
        self.secret = ""
        self.url = ""
        self.fails = 0
        self.is_gone = False
        self._news = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        """Listen on a free port of the loopback."""
        async with listening(self._take) as url:
            self.url = f"{url}/webhooks"
            yield self

    async def has(self, count: int) -> bool:
        """Wait until `count` events have arrived; False on timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while len(self.events) < count:
                    self._news.clear()
                    await self._news.wait()
        return len(self.events) >= count

    async def _take(self, _path: str, headers: Mapping[str, str], body: bytes) -> int:
        if self.is_gone:
            return 410
        if self.fails:
            self.fails -= 1
            return 503
        try:
            Webhook(self.secret).verify(body, dict(headers))
        except WebhookVerificationError:
            self.forged += 1
            return 401
        # The same event may come twice.
        self.events.setdefault(headers["webhook-id"], json.loads(body))
        self._news.set()
        return 204


class WebhookStory:
    """Tells it with an endpoint of its own."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._disabled: str | None = None
        self._contacts = set[str]()

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        async with Receiver().listening() as receiver:
            made = await narrator.post("client", "/webhook-endpoints", {"url": receiver.url, "types": TYPES})
            receiver.secret = made["secret"]
            narrator.say(f"   {receiver.url} gets {', '.join(TYPES)} ({made['id']})")
            try:
                await self._follow(receiver)
                await self._lose(receiver, made["id"])
            finally:
                if self._disabled is None:
                    await narrator.delete("client", f"/webhook-endpoints/{made['id']}")

    async def end(self) -> None:
        """Delete the endpoint that was disabled, and with it the alert that stands as long as it does."""
        if self._disabled is not None:
            await self._narrator.delete("client", f"/webhook-endpoints/{self._disabled}")

    async def _follow(self, receiver: Receiver) -> None:
        narrator = self._narrator
        terms = {"agent_id": narrator.running.ids["agent"], "title": "Tell me", "price": "5.00", "currency": "CREDIT"}
        contract = await narrator.post("client", "/contracts", terms)
        escrow = await narrator.post("client", "/escrows", {"contract_id": contract["id"]})
        await self._expect(receiver, 1)
        narrator.say("   it opens an escrow, and its server has a webhook, signed with the endpoint's secret")
        receiver.fails = 1
        await narrator.post("client", f"/escrows/{escrow['id']}/fund", {"source": "credits"})
        await narrator.post("client", f"/escrows/{escrow['id']}/cancel", {"reason": "to see it told"})
        narrator.say("   the escrow is funded, and its end is asked for; the server answers the first webhook with 503")
        await self._expect(receiver, 3)
        received = [(event["type"], event["subject_seq"]) for event in receiver.events.values()]
        narrator.expect("webhooks in their order", received, [(name, number) for number, name in enumerate(TYPES, 1)])
        narrator.expect("webhooks whose signature was wrong", receiver.forged, 0)
        narrator.say("   five seconds later it has both, in their order: " + " → ".join(name for name, _ in received))

    async def _lose(self, receiver: Receiver, endpoint_id: str) -> None:
        """Take the server away: the endpoint is disabled, and those who are written to about security get a mail."""
        narrator, running = self._narrator, self._narrator.running
        if running.mail_url is None:
            return
        path = f"/organizations/{running.ids['client_org']}/contacts"
        known = await narrator.get("client", path)
        contacts = known["contacts"]
        if not any("security" in contact["purposes"] for contact in contacts):
            contacts = [*contacts, CONTACT]
            await narrator.put("client", path, {"language": known["language"], "contacts": contacts})
        self._contacts = {contact["email"] for contact in contacts if "security" in contact["purposes"]}
        receiver.is_gone = True
        await narrator.post("client", f"/webhook-endpoints/{endpoint_id}/test")
        at = f"/webhook-endpoints/{endpoint_id}"
        await narrator.wait_for("the endpoint is disabled", "client", at, lambda found: found["status"] == "disabled")
        self._disabled = endpoint_id
        narrator.say("   the server is taken away and answers 410: the endpoint is disabled, and a mail is on its way")

    async def tell_of_mail(self) -> None:
        """Show the mail, once it has come to the local mailbox: mails are sent once a minute."""
        narrator = self._narrator
        if self._disabled is None:
            return
        came: list[Json] = []
        async with httpx2.AsyncClient(base_url=narrator.running.mail_url or "", trust_env=False, timeout=60) as mailbox:
            with suppress(TimeoutError):
                async with asyncio.timeout(MAIL_PATIENCE):
                    while not came:
                        await asyncio.sleep(0.2)
                        mails: list[Json] = (await mailbox.get("/mails")).json()
                        came = [
                            mail
                            for mail in mails
                            if self._disabled in mail["text"] and self._contacts & set(mail["recipients"])
                        ]
        narrator.expect("mails about the endpoint that was disabled", len(came), 1)
        narrator.say(f"\nThe mail about it is in the local mailbox ({narrator.running.mail_url})")
        for mail in came:
            narrator.say(f"   to {', '.join(mail['recipients'])}: {mail['subject']}")

    async def _expect(self, receiver: Receiver, count: int) -> None:
        if not await receiver.has(count):
            self._narrator.problems.append(f"{len(receiver.events)} webhooks came, and not {count}")
            raise StoryEnded
