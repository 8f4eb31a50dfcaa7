"""Contacts of organizations over HTTP."""

import pytest

from tests.api.conftest import Caller, Tenant, good, refused

pytestmark = pytest.mark.db

BILLING = {"email": "Books@Acme.example", "purposes": ["billing"]}


async def test_contacts_are_set_as_a_whole_and_read(tenant: Tenant, operator: Caller) -> None:
    path = f"/organizations/{tenant.org_id}/contacts"
    assert good(await tenant.auditor.get(path))["contacts"] == []
    body = {"language": "de", "contacts": [BILLING, {"email": "o@acme.example", "purposes": ["security", "billing"]}]}
    shown = good(await tenant.finance.ask("PUT", path, json=body))
    assert shown["contacts"] == [
        {"email": "Books@acme.example", "purposes": ["billing"]},
        {"email": "o@acme.example", "purposes": ["billing", "security"]},
    ]
    assert good(await operator.get(path)) == shown
    assert good(await tenant.owner.ask("PUT", path, json={"contacts": []}))["language"] == "en"


@pytest.mark.parametrize("role", ["member", "agent"])
async def test_who_keeps_no_books_neither_reads_nor_sets_contacts(role: str, tenant: Tenant) -> None:
    path = f"/organizations/{tenant.org_id}/contacts"
    refused(await tenant.callers[role].get(path), 403, "auth.forbidden")
    refused(await tenant.callers[role].ask("PUT", path, json={"contacts": []}), 403, "auth.forbidden")
    refused(await tenant.auditor.ask("PUT", path, json={"contacts": []}), 403, "auth.forbidden")


@pytest.mark.parametrize(
    "contacts",
    [
        [{"email": "x", "purposes": ["billing"]}],
        [{"email": "a@acme.example\r\nBcc: b@evil.example", "purposes": ["billing"]}],
        [{"email": "a@acme.example", "purposes": []}],
        [{"email": "a@acme.example", "purposes": ["gossip"]}],
        [BILLING, {"email": "books@acme.example", "purposes": ["security"]}],
        [{"email": f"a{number}@acme.example", "purposes": ["billing"]} for number in range(11)],
    ],
)
async def test_contacts_that_cannot_be_written_to_are_422(contacts: list[dict[str, object]], tenant: Tenant) -> None:
    path = f"/organizations/{tenant.org_id}/contacts"
    refused(await tenant.owner.ask("PUT", path, json={"contacts": contacts}), 422, "request.invalid")
