"""One run of rotations: keys of people that are kept as secrets are replaced at once, and parts are killed meanwhile.

Whatever dies between an effect and its record, the value that is in use works at every look, and in the end each
principal has one active key: the one that is kept.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.load import Load, give, organization, under_kills
from tests.faults.run import Say

#: What a rotation passes through.
PARTS = ("postgres", "temporal", "worker", "server")
#: How long one rotation may take once everything is back. A step whose worker was killed is tried again only when the
#: time of its attempt is over, which is two minutes.
END_SECONDS = 400.0


@dataclass(frozen=True)
class RotationSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    rotations: int = 40
    kills: int = 4
    parts: tuple[str, ...] = PARTS


def described(setup: RotationSetup) -> str:
    """Say what a run does."""
    return f"{setup.rotations} rotations of API keys; {', '.join(setup.parts)} killed {setup.kills} times each"


def path_of(number: int) -> str:
    return f"/secrets/api_keys/rotated/{number}"


async def run_rotations(setup: RotationSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings, setting_up = Findings(), Journal()
    client = RetryingClient(stack.api_url, f"{setup.seed} rotations", setting_up)
    org_id, owner = await organization(client, stack, "Rotated")
    first = [await _stored(client, owner, number) for number in range(setup.rotations)]
    ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    grant = {"principal": "owner", "paths": ["api_keys/rotated/*"], "verbs": ["read"], "ends_at": ends_at}
    await give(client, owner, "/secrets/grants", grant, "rotated grant")

    async def rotate(one: RetryingClient, journal: Journal, number: int) -> None:
        request = Request(owner, f"{path_of(number)}/rotate", {"grace": "PT1S"}, f"rotate-{number}")
        response = await one.command(request)
        if response.status_code != 202:
            raise NoResponse(f"{request.path}: {response.status_code} {response.text[:300]}")
        deadline = time.monotonic() + END_SECONDS
        while (secret := await one.ask(owner, path_of(number)))["rotation"]["status"] != "idle" or not _done(secret):
            if time.monotonic() > deadline:
                raise NoResponse(f"{number} is {secret['rotation']} after {END_SECONDS:.0f} s")
            await asyncio.sleep(0.5)
        if (state := secret["rotation"])["failures"]:
            journal.wrong.append(f"{number} failed: {state['detail']}")

    load = Load(
        seed=setup.seed, what="rotations", count=setup.rotations, kills=setup.kills, parts=setup.parts, clients=6
    )
    journal = await under_kills(load, say, stack, findings, rotate)
    findings.check(f"{setup.rotations} rotations ended", journal.wrong + setting_up.wrong)
    wrong = []
    for number, old in enumerate(first):
        opened = await give(client, owner, f"{path_of(number)}/open", {"purpose": "count"}, f"open-{number}")
        mine = await client.ask(opened["value"], "/me")
        if opened["value"] == old or mine["principal"] != f"rotated-{number}":
            wrong.append(f"{number}: the value in use is not a new key of its principal")
    findings.check(f"{len(first)} values in use are new keys that work", wrong)
    await client.close()
    async with books(stack) as connection:
        await _count(findings, connection, org_id, setup.rotations)
    await prove(findings, stack)
    return findings


def _done(secret: dict[str, Any]) -> bool:
    return bool(secret["current_version"] != 1)


async def _stored(client: RetryingClient, owner: str, number: int) -> str:
    """Keep the key of a person as a secret with a schedule, and return it."""
    body = {"principal": f"rotated-{number}", "role": "member"}
    key: str = (await give(client, owner, "/api-keys", body, f"rotated key {number}"))["secret"]
    secret = {"kind": "api_key", "value": key, "rotation": {"rotator": "bursar", "every": "P30D"}}
    response = await client.command(Request(owner, path_of(number), secret, f"rotated put {number}", "PUT"))
    if response.status_code != 200:
        raise NoResponse(f"{path_of(number)}: {response.status_code} {response.text[:300]}")
    return key


async def _count(findings: Findings, connection: Any, org_id: str, count: int) -> None:
    keys = await connection.fetch(
        "SELECT principal, count(*) AS made, count(*) FILTER (WHERE revoked_at IS NULL) AS active FROM api_keys"
        " WHERE org_id = $1 AND principal LIKE 'rotated-%' GROUP BY 1",
        org_id,
    )
    wrong = [f"{row['principal']} has {row['active']} of {row['made']} keys" for row in keys if row["active"] != 1]
    wrong += [f"{row['principal']} was given {row['made']} keys" for row in keys if row["made"] != 2]
    findings.check(f"{len(keys)} principals have one active key each, and were given one more", wrong)
    versions = await connection.fetch(
        "SELECT s.path, array_agg(v.status ORDER BY v.number) AS statuses FROM secrets s JOIN secret_versions v"
        " ON v.secret_id = s.id WHERE s.org_id = $1 GROUP BY 1",
        org_id,
    )
    wrong = [f"{row['path']}: {row['statuses']}" for row in versions if row["statuses"] != ["destroyed", "current"]]
    findings.check(f"{len(versions)} of {count} secrets have their new version, and the old one is destroyed", wrong)
