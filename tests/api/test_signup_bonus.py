"""The bonus that a new organization is granted with its creation."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.app import create_app
from runtime.database import Database
from runtime.settings import Settings
from services.credits import credit_lot
from tests.api.conftest import Caller, forget, good, new_key, settings_for
from tests.conftest import DatabaseUrls
from tests.support.bonus import NO_BONUS
from tests.support.serving import client_of

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
async def giving(database_urls: DatabaseUrls, operator: Caller) -> AsyncIterator[Caller]:
    """The operator at an app that grants 100 credits on the free tier, and none on the premium one."""
    app = create_app(settings_for(database_urls, signup_bonus_free="100", signup_bonus_premium="0"))
    async with client_of(app) as http:
        yield Caller(http, operator.token)


async def available(operator: Caller, org_id: str) -> str:
    balance = good(await operator.get(f"/credits/balance?organization_id={org_id}"))
    return str(balance["available"])


def test_bonus_is_a_hundred_credits_on_every_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_BONUS:
        monkeypatch.delenv(name)
    settings = Settings()
    tiers = [plan.name for plan in settings.plan_book.all]
    assert {tier: settings.signup_bonus_minor(tier) for tier in tiers} == dict.fromkeys(tiers, 100_000_000)


async def test_new_organization_has_the_bonus_of_its_tier_as_a_lot(giving: Caller) -> None:
    made = good(await giving.post("/organizations", {"name": "Bonus"}), 201)
    assert await available(giving, made["id"]) == "100.00"
    history = good(await giving.get(f"/billing/credits/history?organization_id={made['id']}"))["data"]
    assert [(lot["source"], lot["credits"], lot["paid"], lot["expires_at"]) for lot in history] == [
        ("signup", "100.00", None, None)
    ]


async def test_bonus_of_zero_grants_nothing(giving: Caller) -> None:
    made = good(await giving.post("/organizations", {"name": "None", "tier": "premium"}), 201)
    assert await available(giving, made["id"]) == "0.00"
    assert good(await giving.get(f"/billing/credits/history?organization_id={made['id']}"))["data"] == []


async def test_bonus_is_granted_once_for_repeated_requests(giving: Caller, database: Database) -> None:
    key = new_key()
    made = good(await giving.post("/organizations", {"name": "Once"}, key=key), 201)
    # As if the answer had never been kept: the command runs again and finds its organization.
    await forget(database, key)
    assert good(await giving.post("/organizations", {"name": "Once"}, key=key), 201) == made
    assert await available(giving, made["id"]) == "100.00"


async def test_organization_is_not_created_without_its_bonus(
    giving: Caller, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the books are away")

    monkeypatch.setattr(credit_lot, "grant", fail)
    name = "Never made"
    assert (await giving.post("/organizations", {"name": name})).status_code == 500
    assert name not in (await operator.get("/organizations?limit=200")).text


async def test_operators_cannot_grant_another_bonus(giving: Caller) -> None:
    made = good(await giving.post("/organizations", {"name": "Twice"}), 201)
    body = {"organization_id": made["id"], "amount": "1", "source": "signup"}
    assert (await giving.post("/credits/grants", body, key=new_key())).status_code == 422
