"""The page on rotating keys finds what is still sealed under an old one, and quotes what the product says."""

import base64
import re
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.api.common.v1 import Payload

from domain.common.access import Actor, Role
from domain.messages.webhook.endpoint import Ordering
from runtime.codec import CIPHER, ENCODING, EncryptionCodec, SealedPayloadError
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_WEBHOOKS, Sealer
from services.messages import webhook_endpoint as service
from services.messages.webhook_endpoint import EndpointRequest
from tests.docs.pages import ROOT
from tests.support.notifications import an_organization
from tests.support.secrets import Vaulted, local_secrets

PAGE = (ROOT / "docs/operate/runbooks/rotating-encryption-keys.md").read_text("utf-8")


@pytest.mark.db
async def test_query_of_the_page_counts_what_is_sealed_under_each_key(db: Database) -> None:
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    old, new, org = new_id("k"), new_id("k"), await an_organization(db)
    actor = Actor(principal="owner", role=Role.OWNER, org_id=org)
    wanted = EndpointRequest(
        org_id=org,
        url="https://example.com/webhooks",
        types=("*",),
        description=None,
        ordering=Ordering.SUBJECT,
        asymmetric=True,
        command_id=new_id("cmd"),
    )

    async def counted() -> list[tuple[str, str, int]]:
        async with db.platform() as session:
            return [tuple(row) for row in await session.execute(text(query)) if row.key_id in (old, new)]

    async with db.platform() as session:
        row, _ = await service.create(session, actor, wanted, sealer(old), now=datetime.now(UTC))
    assert await counted() == [(old, "webhook endpoint", 2)]
    async with db.platform() as session:
        await service.rotate(session, actor, row.id, sealer(new, old), command_id=new_id("cmd"), now=datetime.now(UTC))
    assert await counted() == [(new, "webhook endpoint", 2)]

    vaulted = Vaulted(db, org_id=org, secrets=local_secrets((old, bytes(32))))
    await vaulted.put()
    await vaulted.put()
    assert await counted() == sorted([(old, "secret", 2), (new, "webhook endpoint", 2)])


def sealer(*key_ids: str) -> Sealer:
    key = base64.b64encode(bytes(32)).decode()
    return Sealer(SecretStr(",".join(f"{key_id}:{key}" for key_id in key_ids)), bound=OF_WEBHOOKS)


def test_failure_that_the_page_quotes_is_the_one_that_a_missing_key_causes() -> None:
    (quoted,) = re.findall(r'workflow tasks fail with "([^"]+)"', " ".join(PAGE.split()))
    sealed = Payload(metadata={"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": b"old"})
    with pytest.raises(SealedPayloadError) as missing:
        EncryptionCodec([("new", bytes(32))]).open(sealed)
    assert str(missing.value).startswith(quoted.replace("…", "old"))
