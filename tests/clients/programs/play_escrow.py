"""Plays an escrow with the client that was generated as `bursar_client`, and prints how it ends.

Reads the address, the keys and the agent's id as JSON.
"""

import json
import sys
import uuid
from contextlib import ExitStack

from bursar_client import AuthenticatedClient
from bursar_client.api.contracts import contracts_create
from bursar_client.api.escrows import (
    escrows_create,
    escrows_deliver,
    escrows_fund,
    escrows_get,
    escrows_list,
    escrows_validate,
)
from bursar_client.models import (
    ArtifactBody,
    ContractCreate,
    ContractView,
    CreateEscrow,
    Deliver,
    EscrowPage,
    EscrowStatus,
    EscrowView,
    Fund,
    FundedView,
    Problem,
    Validate,
)

given = json.load(sys.stdin)
opened = ExitStack()


def client(role: str) -> AuthenticatedClient:
    made = AuthenticatedClient(given["api_url"], token=given["keys"][role], httpx_args={"trust_env": False})
    return opened.enter_context(made)


def key() -> str:
    return f"generated-{uuid.uuid5(uuid.NAMESPACE_OID, given['nonce'])}-{next(numbers)}"


numbers = iter(range(100))
customer, agent, validator = client("client"), client("agent"), client("validator")

award = ContractCreate(
    agent_id=given["agent_id"], title="Summarise the report", price="5.00", validation_threshold="0.8"
)
contract = contracts_create.sync(client=customer, body=award, idempotency_key=key())
assert isinstance(contract, ContractView), contract
escrow = escrows_create.sync(client=customer, body=CreateEscrow(contract_id=contract.id), idempotency_key=key())
assert isinstance(escrow, EscrowView), escrow

# A body without a word about the means: nothing is sent that was not meant.
again = key()
funded = escrows_fund.sync(escrow.id, client=customer, body=Fund(), idempotency_key=again)
assert isinstance(funded, FundedView), funded
assert funded.status is EscrowStatus.FUNDED
replayed = escrows_fund.sync_detailed(escrow.id, client=customer, body=Fund(), idempotency_key=again)
assert replayed.headers["Idempotent-Replayed"] == "true"
refused = escrows_fund.sync(escrow.id, client=customer, body=Fund(), idempotency_key=key())
assert isinstance(refused, Problem), refused
assert refused.code == "escrow.wrong_state"

work = Deliver(artifacts=[ArtifactBody(uri="https://files.test/report.pdf")], note="Done")
delivered = escrows_deliver.sync(escrow.id, client=agent, body=work, idempotency_key=key())
assert isinstance(delivered, EscrowView), delivered
released = escrows_validate.sync(escrow.id, client=validator, body=Validate(score="0.92"), idempotency_key=key())
assert isinstance(released, EscrowView), released

seen = escrows_get.sync(escrow.id, client=customer)
assert isinstance(seen, EscrowView), seen
listed = escrows_list.sync(client=customer, limit=1)
assert isinstance(listed, EscrowPage), listed
assert [each.id for each in listed.data] == [escrow.id]
json.dump({"id": seen.id, "status": seen.status, "released": seen.released_amount, "refused": refused.code}, sys.stdout)
opened.close()
