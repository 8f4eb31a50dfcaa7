"""The demo's scene on alerts: a rule fires and notifies an owner, who then acknowledges an escalated alert.

It begins before the stories whose events it shows, and ends after them: rules are evaluated once a minute.
"""

import asyncio
import re
import secrets
import time

import httpx2
from temporalio.client import Client, WorkflowExecutionStatus

from dev.stack.narrator import Json, Narrator, StoryEnded
from domain.common.ids import escalation_workflow_id

TITLE = "An alert rule fires, its owner is told, and somebody answers an alert"
#: How long the story waits for a mail and for an alert, in seconds: both are looked for once a minute.
PATIENCE = 300
CALLING = "webhook_endpoint.given_up"


class AlertStory:
    """Tells it of the client's owner, with an address and a rule of its own."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator
        self._name = f"credits_below_a_million_{secrets.token_hex(3)}"
        self._address = f"{self._name}@acme.example"
        self._channel = self._rule = ""

    async def begin(self) -> None:
        """Verify a channel and write a rule; raises StoryEnded when it cannot go on."""
        narrator = self._narrator
        if narrator.running.mail_url is None:
            return
        made = await narrator.post("client", "/notifications/channels", {"kind": "mail", "address": self._address})
        code = re.findall(r"[0-9]{6}", (await self._mail("code"))["subject"])[0]
        verified = await narrator.post("client", f"/notifications/channels/{made['id']}/verify", {"code": code})
        narrator.expect("status of the channel", verified["status"], "verified")
        self._channel = made["id"]
        narrator.say(f"   the owner gives back the code that came to {self._address}: mail is one of its channels now")
        rule = {
            "name": self._name,
            "metric": "credits.available",
            "condition": {"type": "below", "threshold": "1000000"},
            "cool_down": "PT1H",
        }
        self._rule = (await narrator.post("client", "/alert-rules", rule))["id"]
        narrator.say("   and wants to be warned while fewer than a million credits are available")

    async def end(self) -> None:
        """Show the notifications, and acknowledge an alert; raises StoryEnded when something does not come."""
        narrator = self._narrator
        if not self._rule:
            return
        narrator.say("\nWhat people were told")
        try:
            mail = await self._mail(self._name)
            inbox = await narrator.get("client", "/notifications?limit=100")
            received = [each for each in inbox["data"] if each["data"].get("kind") == self._name]
            titles = [each["title"] for each in received]
            narrator.expect("notifications in the inbox about the rule", titles, [mail["subject"]])
            narrator.say(f"   by mail and in the inbox: {mail['subject']}")
            for each in received:
                narrator.say(f"     {each['text'].partition(' It is about')[0]}")
            await self._answer()
        finally:
            await narrator.delete("client", f"/alert-rules/{self._rule}")
            await narrator.delete("client", f"/notifications/channels/{self._channel}")

    async def _answer(self) -> None:
        """Acknowledge the alert about the endpoint that was disabled, which ends its escalation."""
        narrator = self._narrator
        standing = await narrator.get("client", f"/alerts?kind={CALLING}&status=firing")
        if not standing["data"]:
            narrator.problems.append(f"no alert {CALLING} stands")
            raise StoryEnded
        alert = standing["data"][0]
        mail = await self._mail(alert["subject"])
        narrator.say(f"   {mail['subject']}, which calls the owners at once and the admins after half an hour")
        answered = await narrator.post("client", f"/alerts/{alert['id']}/acknowledge")
        narrator.expect("status of the alert", answered["status"], "acknowledged")
        run = escalation_workflow_id(alert["id"])
        running = narrator.running
        client = await Client.connect(running.temporal_address, namespace=running.temporal_namespace)
        status, until = None, time.monotonic() + PATIENCE
        while status is not WorkflowExecutionStatus.COMPLETED and time.monotonic() < until:
            status = (await client.get_workflow_handle(run).describe()).status
            await asyncio.sleep(0.2)
        narrator.expect("status of the escalation's run", status, WorkflowExecutionStatus.COMPLETED)
        narrator.say("   the owner acknowledges it, and nobody else is called")
        narrator.say(f"   run  {narrator.running.run_url(run)}")

    async def _mail(self, wanted: str) -> Json:
        """Wait for a mail to the address that says something."""
        async with httpx2.AsyncClient(
            base_url=self._narrator.running.mail_url or "", trust_env=False, timeout=60
        ) as mailbox:
            give_up_at = time.monotonic() + PATIENCE
            while time.monotonic() < give_up_at:
                mails: list[Json] = (await mailbox.get("/mails", params={"to": self._address})).json()
                found = next((mail for mail in mails if wanted in mail["subject"] + mail["text"]), None)
                if found is not None:
                    return found
                await asyncio.sleep(0.2)
        self._narrator.problems.append(f"no mail about {wanted} came to {self._address}")
        raise StoryEnded
