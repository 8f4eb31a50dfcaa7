"""Tells the demo's stories: sends commands over HTTP like any client, shows lines, and collects problems."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2

from dev.stack.running import Running

Say = Callable[[str], None]
Json = dict[str, Any]

PATIENCE_SECONDS = 300.0
PAUSE_SECONDS = 0.1


class StoryEnded(Exception):
    """A story that cannot go on; why is among the problems already."""


class Narrator:
    """The voice and the hands of the demo.

    Attributes:
        running: the stack.
        say: takes a line for the user.
        keys: secrets by role; a story adds those of the people that it brings in.
        problems: what is off, in words.
    """

    def __init__(self, running: Running, http: httpx2.AsyncClient, say: Say) -> None:
        """Take the stack, a client whose base is its API, and where each line goes."""
        self.running = running
        self.say = say
        self.keys = dict(running.keys)
        self.problems: list[str] = []
        self._http = http
        self._nonce = secrets.token_hex(4)
        self._commands = 0

    def expect(self, what: str, found: object, expected: object) -> None:
        """Note a problem unless what was found is what was expected."""
        if found != expected:
            self.problems.append(f"{what}: {found}, expected {expected}")

    def new_key(self) -> str:
        """Return an idempotency key that was never used."""
        self._commands += 1
        return f"demo-{self._nonce}-{self._commands}"

    async def get(self, role: str, path: str) -> Json:
        """Read something; raises StoryEnded unless it is there."""
        response = await self._http.get(path, headers={"Authorization": f"Bearer {self.keys[role]}"})
        if response.status_code != 200:
            raise self._ended(f"GET {path} as {role}", response)
        answer: Json = response.json()
        return answer

    async def post(self, role: str, path: str, body: Json | None = None, *, key: str | None = None) -> Json:
        """Give a command; raises StoryEnded when it is refused."""
        response = await self._command(role, path, body, key)
        if not response.is_success:
            raise self._ended(f"POST {path} as {role}", response)
        answer: Json = response.json()
        return answer

    async def put(self, role: str, path: str, body: Json) -> Json:
        """Replace something; raises StoryEnded when it is refused."""
        headers = {"Authorization": f"Bearer {self.keys[role]}", "Idempotency-Key": self.new_key()}
        response = await self._http.put(path, json=body, headers=headers)
        if not response.is_success:
            raise self._ended(f"PUT {path} as {role}", response)
        answer: Json = response.json()
        return answer

    async def delete(self, role: str, path: str) -> None:
        """End something; raises StoryEnded when it is refused."""
        response = await self._http.delete(path, headers={"Authorization": f"Bearer {self.keys[role]}"})
        if not response.is_success:
            raise self._ended(f"DELETE {path} as {role}", response)

    async def be_refused(self, role: str, path: str, body: Json, code: str) -> Json:
        """Give a command that must be refused with this code, and return the problem document."""
        response = await self._command(role, path, body, None)
        if response.is_success:
            raise self._ended(f"POST {path} as {role}, which must be refused,", response)
        problem: Json = response.json()
        self.expect(f"POST {path} as {role}: code", problem.get("code"), code)
        return problem

    async def wait_for(self, what: str, role: str, path: str, done: Callable[[Json], bool]) -> Json:
        """Read something again and again until it is as it must become; raises StoryEnded when that takes too long."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not done(found := await self.get(role, path)):
            if time.monotonic() > give_up_at:
                self.problems.append(f"{what}: not after {PATIENCE_SECONDS:.0f} s; GET {path} says {found}")
                raise StoryEnded
            await asyncio.sleep(PAUSE_SECONDS)
        return found

    async def use_bonus(self, role: str) -> str:
        """Use the credits that were given to the role's organization at its sign-up, and return how many they were."""
        bonus: str = (await self.get(role, "/billing/balance"))["available"]
        if bonus != "0.00":
            await self.post(role, "/credits/use", {"amount": bonus, "action": "trial"})
        return bonus

    async def steer(self, url: str, body: Json | None = None) -> Json:
        """Trigger a payer's, a bank's or a network's action in a sandbox; raise StoryEnded if it fails."""
        response = await self._http.post(url, json=body or {})
        if not response.is_success:
            raise self._ended(f"POST {url}", response)
        answer: Json = response.json()
        return answer

    async def send(
        self, role: str, path: str, body: Json, *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """Give a command with further headers, and return whatever is answered."""
        sent = {"Authorization": f"Bearer {self.keys[role]}", "Idempotency-Key": key or self.new_key()}
        return await self._http.post(path, json=body, headers={**sent, **(headers or {})})

    async def _command(self, role: str, path: str, body: Json | None, key: str | None) -> httpx2.Response:
        return await self.send(role, path, body or {}, key=key)

    def _ended(self, what: str, response: httpx2.Response) -> StoryEnded:
        self.problems.append(f"{what}: {response.status_code} {response.text[:300]}")
        self.say(f"   {what} was answered with {response.status_code}")
        return StoryEnded()
