"""Only the parties of a contract see its title and each other's names."""

from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good
from tests.api.escrowing import contract_between, escrow_between

pytestmark = pytest.mark.db


async def name_of(operator: Caller, kind: str, object_id: str) -> str:
    return str(good(await operator.get(f"/{kind}/{object_id}"))["name"])


async def named(operator: Caller, payer: Tenant, payee: Tenant) -> dict[str, str]:
    """Return the names as an escrow between these two shows them."""
    return {
        "title": "Job",
        "payer_name": await name_of(operator, "organizations", payer.org_id),
        "payee_name": await name_of(operator, "organizations", payee.org_id),
        "agent_name": await name_of(operator, "agents", payee.agent_id),
    }


def names_in(shown: dict[str, Any]) -> dict[str, str]:
    return {name: shown[name] for name in ("title", "payer_name", "payee_name", "agent_name")}


async def test_every_party_and_operators_see_the_names(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee, signer = [await new_tenant("owner") for _ in range(3)]
    made = await escrow_between(operator, database, payer, payee, "procurement", f"{signer.org_id}/counsel")
    names = await named(operator, payer, payee)
    for caller in (payer.owner, payee.owner, signer.owner, operator):
        for kind, prefix in (("escrows", "esc"), ("contracts", "ctr")):
            object_id = f"{prefix}{made[3:]}"
            assert names_in(good(await caller.get(f"/{kind}/{object_id}"))) == names
            listed = {row["id"]: names_in(row) for row in good(await caller.get(f"/{kind}"))["data"]}
            assert listed[object_id] == names


async def test_name_is_the_current_one(operator: Caller, database: Database, new_tenant: NewTenant) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    made = await escrow_between(operator, database, payer, payee)
    renamed = {"name": "Renamed"}
    path = f"/organizations/{payee.org_id}"
    good(await payee.owner.ask("PATCH", path, json=renamed, headers={"If-Match": "*"}))
    assert good(await payer.owner.get(f"/escrows/{made}"))["payee_name"] == "Renamed"


async def test_metadata_is_shown_with_the_names_and_only_to_its_owner(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    made = await escrow_between(operator, database, payer, payee)
    for tenant in (payer, payee):
        body, match = {"external_id": f"of-{tenant.org_id}"}, {"If-Match": "*"}
        good(await tenant.owner.ask("PATCH", f"/escrows/{made}", json=body, headers=match))
    for tenant in (payer, payee):
        [listed] = good(await tenant.owner.get("/escrows"))["data"]
        assert listed["external_id"] == f"of-{tenant.org_id}"
        assert listed["payer_name"]
    listed = good(await operator.get(f"/escrows?organization_id={payee.org_id}"))["data"]
    assert [row["external_id"] for row in listed] == [f"of-{payee.org_id}"]


async def test_database_gives_names_to_parties_alone(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee, other = [await new_tenant() for _ in range(3)]
    contract_id = await contract_between(operator, payer, payee, signatories=["procurement"])
    ask = text("SELECT count(*) FROM tenant_party_names(:org, ARRAY[CAST(:contract AS text)])")
    counts = []
    for tenant in (payer, payee, other):
        async with database.tenant(tenant.org_id) as session:
            counts.append(await session.scalar(ask, {"org": tenant.org_id, "contract": contract_id}))
    assert counts == [1, 1, 0]
    with pytest.raises(DBAPIError, match="another organization"):
        async with database.tenant(other.org_id) as session:
            await session.scalar(ask, {"org": payer.org_id, "contract": contract_id})


@pytest.mark.parametrize("kind", ["escrows", "contracts"])
async def test_page_takes_no_more_statements_for_many_rows(
    kind: str, operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    counted = []
    for _ in range(2):
        for _ in range(3):
            await escrow_between(operator, database, payer, payee)
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any, seen: list[str] = seen) -> None:
            seen.append(statement)

        engine = database.tenant_engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            good(await payer.owner.get(f"/{kind}"))
        finally:
            event.remove(engine, "before_cursor_execute", note)
        counted.append(len([statement for statement in seen if "set_config" not in statement]))
    assert counted == [2, 2]
