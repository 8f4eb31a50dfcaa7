"""Names and texts with invisible or misleading characters are refused, with the reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.v1.escrows.schemas import SCHEMES, ArtifactBody, Deliver, OpenDispute
from tests.api.conftest import Caller, Tenant, new_key, refused
from tests.support.cases import for_each

pytestmark = pytest.mark.db

ZERO_WIDTH, BIDI, C1, BLANK = "Ac\u200bme", "Acme \u202egnp", "Acme\x9b31m", "\u3000\u3164"


async def ask(where: str, name: str, tenant: Tenant, stranger: Tenant, operator: Caller) -> dict[str, Any]:
    award = {"agent_id": stranger.agent_id, "title": "Job", "price": "2"}
    line = {"description": name, "unit_amount": "1"}
    caller, path, body = {
        "organization": (operator, "/organizations", {"name": name}),
        "agent": (tenant.owner, "/agents", {"name": name}),
        "contract": (tenant.owner, "/contracts", {**award, "title": name}),
        "milestone": (tenant.owner, "/contracts", {**award, "milestones": [{"name": name, "amount": "2"}]}),
        "project": (tenant.owner, "/projects", {"slug": "named", "name": name}),
        "principal": (tenant.owner, "/api-keys", {"principal": name, "role": "member"}),
        "signatory": (tenant.owner, "/contracts", {**award, "signatories": [name]}),
        "invoice": (
            operator,
            "/billing/invoices",
            {"organization_id": tenant.org_id, "currency": "USD", "lines": [line]},
        ),
        "payment": (
            tenant.owner,
            "/payments",
            {"amount": "1", "currency": "USD", "purpose": "balance", "description": name},
        ),
    }[where]
    return refused(await caller.post(path, body, key=new_key()), 422, "request.invalid")


WHERE = ["organization", "agent", "contract", "milestone", "project", "principal", "signatory", "invoice", "payment"]


@for_each("name", [ZERO_WIDTH, BIDI, C1, BLANK])
@for_each("where", WHERE)
async def test_name_with_misleading_characters_is_refused(
    where: str, name: str, tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    await ask(where, name, tenant, stranger, operator)


async def test_refusal_names_the_character(tenant: Tenant, stranger: Tenant, operator: Caller) -> None:
    document = await ask("agent", BIDI, tenant, stranger, operator)
    [problem] = document["errors"]
    assert problem["field"] == "name"
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in problem["message"]


@pytest.mark.parametrize("reason", ["paid \u202ein full", "\u2066no\u2069", "\x9b2J"], ids=ascii)
def test_reason_with_misleading_characters_is_refused(reason: str) -> None:
    with pytest.raises(ValidationError, match="look like another text"):
        OpenDispute(reason=reason)


def test_reason_keeps_its_lines() -> None:
    assert (
        OpenDispute(reason="First.\n\tThen this.\r\n\u05e9\u05dc\u05d5\u05dd").reason
        == "First.\n\tThen this.\r\n\u05e9\u05dc\u05d5\u05dd"
    )


def test_milestone_named_before_names_were_checked_can_still_be_delivered() -> None:
    assert Deliver(milestone=ZERO_WIDTH, note="Done").milestone == ZERO_WIDTH


@for_each(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript://x/%0aalert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x",
        "https:x",
        "ftp://x",
        "//x",
    ],
)
def test_address_of_an_artifact_that_a_browser_would_run_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError):
        ArtifactBody(uri=uri)


@for_each("scheme", [*SCHEMES, "HTTPS"])
def test_address_of_an_artifact_that_can_be_fetched_is_taken(scheme: str) -> None:
    assert ArtifactBody(uri=f"{scheme}://store/report.pdf").uri == f"{scheme}://store/report.pdf"
