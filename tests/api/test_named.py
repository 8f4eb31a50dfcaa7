"""Names of objects by their ids: of one's own objects, and of all for operators."""

import pytest

from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, good, refused
from tests.api.escrowing import contract_between
from tests.api.invoicing import issue
from tests.api.purchasing import proposed
from tests.api.test_own_reads import Firm, firm  # noqa: F401 - fixture

pytestmark = pytest.mark.db

NOBODY = "0" * 26


async def names(caller: Caller, *ids: str) -> dict[str, str]:
    found: dict[str, str] = good(await caller.get(f"/names?ids={','.join(ids)}"))["names"]
    return found


async def test_objects_are_named_to_their_parties_and_to_operators(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    contract = await contract_between(operator, payer, payee, title="Night reports", signatories=["finance"])
    invoice = await issue(operator, payer)
    agent = good(await payee.owner.get(f"/agents/{payee.agent_id}"))["name"]
    hidden = good(await payee.owner.post("/agents", {"name": "Hidden", "visibility": "private"}), 201)["id"]
    ids = (contract, invoice["id"], payee.agent_id, f"org_{NOBODY}", f"pay_{NOBODY}")

    of_payer = {contract: "Night reports", invoice["id"]: invoice["number"], payee.agent_id: agent}
    assert await names(payer.owner, *ids, hidden) == of_payer
    assert await names(payee.owner, *ids) == {contract: "Night reports", payee.agent_id: agent}
    assert set(await names(operator, *ids)) == {contract, invoice["id"], payee.agent_id}


async def test_key_of_a_department_gets_no_names_of_departments_their_limits_and_purchases(firm: Firm) -> None:  # noqa: F811
    parts = {"Support": firm.departments["support"], "Sales": firm.departments["sales"]}
    order = (await proposed(firm.callers["owner"], firm.agents["agent"]))["id"]
    ids = (*parts.values(), firm.controls["support"], firm.agents["agent"], order)
    assert set(await names(firm.callers["owner"], *ids)) == set(ids)
    assert set(await names(firm.callers["sales"], *ids)) == {firm.agents["agent"]}


@pytest.mark.parametrize("ids", ["", "acme", f"org_{NOBODY},", ",".join([f"org_{NOBODY}"] * 201)])
async def test_invalid_and_too_many_ids_are_refused(ids: str, operator: Caller) -> None:
    refused(await operator.get(f"/names?ids={ids}"), 422, "request.invalid")
