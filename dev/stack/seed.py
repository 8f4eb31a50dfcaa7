"""Seed data of a fresh stack: two organizations, an agent, a key of each role, a grant of credits.

Everything goes over the HTTP API as any client would do it, except for the operators' keys, which no client could ask
for, and the prices of models, which a command imports. A second operator is made, and approves, only where the settings
ask for two. What was made is kept in the data directory step by step,
and each step has an idempotency key of its own, so a seeding that was interrupted goes on where it stopped and a later
start finds the same keys.
"""

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from dev.stack.migrate import ROOT
from dev.stack.process import StackError
from domain.common.money import CREDIT, format_amount, parse_amount
from runtime.settings import read_settings

CLIENT_ORGANIZATION = "Acme"
STUDIO_ORGANIZATION = "Studio"
AGENT = "Summariser"
#: What the client begins with, in credits: its signup bonus, and a grant of the rest.
CREDITS = 10_000
#: The people of the client.
PEOPLE = 3
#: The default rule that reviews organizations that pay with one card.
SHARED_CARDS = "organizations_of_instrument"
ATTEMPTS = 20
PAUSE_SECONDS = 0.5


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that only its owner may read, wholly or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)


class Seed:
    """The seeded keys and ids of one data directory.

    Attributes:
        keys: secrets by role: operator, arbiter, validator, platform_auditor, client, finance, auditor, agent, studio;
            second_operator where the settings ask for two.
        ids: client_org, studio_org, agent.
    """

    def __init__(self, path: Path, api_url: str, environment: Mapping[str, str]) -> None:
        """Read what earlier runs made; the environment holds the settings of this stack."""
        self._path = path
        self._api_url = api_url
        self._environment = dict(environment)
        state: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError):
            state = json.loads(path.read_text())
        self._nonce: str = state.get("nonce") or secrets.token_hex(8)
        self.keys: dict[str, str] = state.get("keys", {})
        self.ids: dict[str, str] = state.get("ids", {})
        self._has_prices: bool = state.get("has_prices", False)
        self._shares_cards: bool = state.get("shares_cards", False)

    async def ensure(self) -> None:
        """Make what is missing; raises StackError when the API refuses."""
        async with httpx2.AsyncClient(base_url=f"{self._api_url}/api/v1", trust_env=False, timeout=30) as client:
            if not await self._operator_is_known(client):
                await self._begin()
            if not self._has_prices:
                await asyncio.to_thread(manage, self._environment, "import-model-prices", "--shipped")
                self._has_prices = True
                self._save()
            post = self._poster(client)
            settings = read_settings(self._environment)
            if settings.two_operators_above is not None and "second_operator" not in self.keys:
                # Before the first request: a younger key cannot approve it.
                secret_file = self._path.with_name("second-operator.key")
                key = await asyncio.to_thread(operator_key, self._environment, secret_file, principal="second-operator")
                self.keys["second_operator"] = key
                self._save()
            tier = next(
                plan.name
                for plan in settings.plan_book.all
                if not settings.limit_seats or plan.seats is None or plan.seats >= PEOPLE
            )
            await self._id("client_org", post, "/organizations", {"name": CLIENT_ORGANIZATION, "tier": tier})
            await self._id("studio_org", post, "/organizations", {"name": STUDIO_ORGANIZATION})
            acme, studio = self.ids["client_org"], self.ids["studio_org"]
            await self._id("agent", post, "/agents", {"name": AGENT, "organization_id": studio})
            agent = self.ids["agent"]
            await self._key("arbiter", post, {"principal": "arbiter", "role": "arbiter"})
            await self._key("validator", post, {"principal": "validator", "role": "validator"})
            await self._key("platform_auditor", post, {"principal": "auditor", "role": "platform_auditor"})
            await self._key("client", post, {"organization_id": acme, "principal": "procurement", "role": "owner"})
            await self._key("studio", post, {"organization_id": studio, "principal": "studio", "role": "owner"})
            # What an operator issues beside an organization's first key opens no secret and signs nothing.
            by_client, by_studio = self._poster(client, "client"), self._poster(client, "studio")
            await self._key("finance", by_client, {"principal": "finance", "role": "finance"})
            await self._key("auditor", by_client, {"principal": "auditor", "role": "auditor"})
            await self._key("agent", by_studio, {"principal": "summariser", "role": "agent", "agent_id": agent})
            rest = parse_amount(CREDITS, CREDIT) - settings.signup_bonus_minor(tier)
            amount = format_amount(rest, CREDIT)
            grant = {"organization_id": acme, "amount": amount, "source": "promotion", "note": "For trying things out"}
            await self._id("grant", post, "/credits/grants", grant)
            if not self._shares_cards:
                # A sandbox has one card for everybody.
                await post("cards", f"/risk/rules/{SHARED_CARDS}/activate", {"mode": "shadow", "version": 0})
                self._shares_cards = True
                self._save()

    async def _operator_is_known(self, client: httpx2.AsyncClient) -> bool:
        """Return whether the kept keys belong to this database; one may have been removed without the other."""
        if "operator" not in self.keys:
            return False
        answer = await client.get("/api-keys", headers={"Authorization": f"Bearer {self.keys['operator']}"})
        if answer.status_code not in {200, 401}:
            raise StackError(f"The operator's key cannot be checked: {answer.status_code} {answer.text[:500]}")
        return answer.status_code == 200

    async def _begin(self) -> None:
        secret_file = self._path.with_name("operator.key")
        self._nonce, self.ids, self._has_prices, self._shares_cards = secrets.token_hex(8), {}, False, False
        self.keys = {"operator": await asyncio.to_thread(operator_key, self._environment, secret_file)}
        self._save()

    async def _approve(self, client: httpx2.AsyncClient, approval_id: str) -> None:
        headers = {"Authorization": f"Bearer {self.keys['second_operator']}"}
        await client.post(f"/approvals/{approval_id}/approve", headers=headers)

    def _poster(
        self, client: httpx2.AsyncClient, by: str = "operator"
    ) -> Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def post(step: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
            headers = {
                "Authorization": f"Bearer {self.keys[by]}",
                "Idempotency-Key": f"seed-{self._nonce}-{step}",
            }
            problem = ""
            for _ in range(ATTEMPTS):
                try:
                    answer = await client.post(path, json=body, headers=headers)
                except httpx2.TransportError as error:
                    problem = str(error) or type(error).__name__
                else:
                    if answer.is_success:
                        made: dict[str, Any] = answer.json()
                        return made
                    problem = f"{answer.status_code} {answer.text[:500]}"
                    if answer.status_code == 403 and "approval_id" in answer.json():
                        await self._approve(client, answer.json()["approval_id"])
                        continue
                    if not _may_pass(answer):
                        break
                await asyncio.sleep(PAUSE_SECONDS)
            raise StackError(f"Seeding stopped at {step} (POST {path}): {problem}")

        return post

    async def _id(
        self,
        step: str,
        post: Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]],
        path: str,
        body: dict[str, str],
    ) -> None:
        if step not in self.ids:
            self.ids[step] = (await post(step, path, body))["id"]
            self._save()

    async def _key(
        self,
        role: str,
        post: Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]],
        body: dict[str, str],
    ) -> None:
        if role not in self.keys:
            self.keys[role] = (await post(f"key-{role}", "/api-keys", body))["secret"]
            self._save()

    def _save(self) -> None:
        done = {"has_prices": self._has_prices, "shares_cards": self._shares_cards}
        write_private(self._path, {"nonce": self._nonce, "keys": self.keys, "ids": self.ids, **done})


def _may_pass(answer: httpx2.Response) -> bool:
    """Return whether the same request may be answered otherwise a moment later."""
    return answer.status_code >= 500 or answer.status_code == 429 or '"idempotency.in_flight"' in answer.text


def operator_key(environment: Mapping[str, str], secret_file: Path, *, principal: str = "operator") -> str:
    """Put an operator's key into the database, by the command that a deployment uses, and return it."""
    manage(environment, "operator-key", "--principal", principal, "--secret-file", str(secret_file))
    return secret_file.read_text().strip()


def manage(environment: Mapping[str, str], *arguments: str) -> None:
    """Run a command that a deployment uses as well; raises StackError with what it wrote when it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "manage", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise StackError(f"`manage {arguments[0]}` failed:\n{result.stderr.strip()}")
