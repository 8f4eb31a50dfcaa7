"""Actions of organizations on projects over HTTP, and payments for their slots."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from commands.verify import verify
from domain.payments.payment.terms import Purpose, PurposeKind
from models.billing.project import DeploymentEvent
from runtime.database import Database
from tests.api.conftest import Caller, good
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.support.connections import connected


async def projects(owner: Caller, number: int) -> list[str]:
    slugs = [f"project-{index}" for index in range(number)]
    for slug in slugs:
        good(await owner.post("/projects", {"slug": slug}), 201)
    return slugs


async def deploy(owner: Caller, slug: str, **options: Any) -> Any:
    return good(await owner.post(f"/projects/{slug}/deploy", **options))


async def undeploy(owner: Caller, slug: str, **options: Any) -> Any:
    return good(await owner.delete(f"/projects/{slug}/deploy", **options))


async def buy(database: Database, owner: Caller, slots: int) -> Written:
    """Pay for slots, as a payment's run writes it."""
    purpose = Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=slots)
    made = await Written(database, owner.org_id or "", purpose=purpose, amount_minor=500 * slots).begin()
    made.there.pay()
    return await made.look()


async def limits(owner: Caller) -> dict[str, Any]:
    found: dict[str, Any] = good(await owner.get("/projects/deployment/limits"))
    return found


async def slots(owner: Caller) -> tuple[int, int, int]:
    """Return the slots that are free, in use and owed."""
    found = (await limits(owner))["slots"]
    return found["free"], found["in_use"], found["owed"]


async def put_on(operator: Caller, owner: Caller, tier: str, **options: Any) -> Any:
    path = f"/organizations/{owner.org_id}/tier"
    return good(await operator.ask("PUT", path, json={"tier": tier}, **options))


async def events(database: Database, owner: Caller) -> list[tuple[str, int]]:
    query = select(DeploymentEvent).where(DeploymentEvent.org_id == owner.org_id).order_by(DeploymentEvent.number)
    async with database.platform() as session:
        return [(event.kind, event.slots) for event in await session.scalars(query)]


async def prove(urls: DatabaseUrls) -> None:
    """Check that the books and the projects of this database tell the same."""
    async with connected(urls.platform) as connection:
        report = await verify(connection)
    [check] = [check for check in report.checks if check.name.startswith("slots in use")]
    assert check.checked
    assert not check.violation_count, "\n".join(check.lines())


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(database_urls)
