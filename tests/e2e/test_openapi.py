"""The OpenAPI document is complete, and random requests made from it never surprise the running stack."""

import json
import random
from collections import Counter
from typing import Any

import httpx2
import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.conftest import World, good
from tests.support.cases import for_each
from tests.support.openapi import operations, problem_of, resolved

pytestmark = pytest.mark.e2e

SEED = 20_260_101
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROLES = ("operator", "arbiter", "validator", "client", "finance", "auditor", "agent", "studio", "nobody")

FOUNDATION = {
    "/organizations": {"post", "get"},
    "/organizations/{organization_id}": {"get", "patch"},
    "/api-keys": {"post", "get"},
    "/api-keys/{key_id}": {"delete"},
    "/agents": {"post", "get"},
    "/agents/{agent_id}": {"get", "patch"},
    "/contracts": {"post", "get"},
    "/contracts/{contract_id}": {"get", "patch"},
    "/contracts/{contract_id}/acceptance": {"post"},
    "/payments/escrow/create": {"post"},
    "/escrows": {"post", "get"},
    "/escrows/{escrow_id}": {"get", "patch"},
    "/escrows/summary": {"get"},
    "/tasks": {"get"},
    "/payments/summary": {"get"},
    "/escrows/{escrow_id}/timeline": {"get"},
    "/escrows/{escrow_id}/actions": {"get"},
    **{
        f"/escrows/{{escrow_id}}/{path}": {"post"}
        for path in (
            *("fund", "delivery", "validation", "approvals", "disputes", "disputes/evidence"),
            *("disputes/resolution", "refunds", "cancel"),
        )
    },
    **{path: {"get"} for path in ("/billing/balance", "/credits/balance", "/payments/credits/balance")},
    **{path: {"get"} for path in ("/billing/credits", "/billing/transactions", "/credits/transactions")},
    "/credits/grants": {"post", "get"},
    "/credits/grants/{grant_id}": {"get", "patch"},
    "/credits/earnings": {"get"},
    "/credits/earnings/conversions": {"post"},
    "/billing/earnings/waivers": {"post"},
    "/credits/spends/{spend_id}": {"get"},
    "/credits/spends/{spend_id}/refunds": {"post", "get"},
    **{path: {"post", "get"} for path in ("/payments", "/payments/{payment_id}/refunds")},
    **{path: {"get"} for path in ("/billing/payments", "/payments/{payment_id}/timeline")},
    "/payments/{payment_id}": {"get", "patch"},
    "/payments/{payment_id}/actions": {"get"},
    **{
        path: {"post"}
        for path in (
            *(f"/payments/{{payment_id}}/{command}" for command in ("confirm", "capture", "cancel")),
            *("/payments/create", "/billing/topup", "/payments/credits/purchase", "/billing/purchase-credits"),
            *("/billing/credits/purchase", "/disputes/{dispute_id}/evidence"),
        )
    },
    **{path: {"get"} for path in ("/billing/credit-packages", "/billing/credits/history", "/billing/config")},
    **{path: {"get"} for path in ("/billing/plans", "/billing/entitlements")},
    "/billing/entitlements/{entitlement}/check": {"get"},
    "/billing/subscription": {"get", "post", "put", "delete"},
    "/billing/subscription/preview": {"get"},
    **{path: {"post"} for path in ("/billing/subscribe", "/billing/cancel", "/billing/subscription/resume")},
    **{path: {"get"} for path in ("/disputes", "/disputes/{dispute_id}")},
    "/billing/connect": {"post", "get"},
    **{path: {"get"} for path in ("/events", "/events/catalogue")},
    "/billing/payouts": {"post", "get"},
    "/billing/payouts/schedule": {"put", "get"},
    "/billing/payouts/{payout_id}": {"get"},
    "/billing/payouts/{payout_id}/give-up": {"post"},
    "/approvals": {"get"},
    "/billing/statements/{period}": {"get"},
    "/billing/statements/{period}/pdf": {"get"},
    "/billing/statements/{period}/corrections/{correction_id}/pdf": {"get"},
    "/billing/creators/totals": {"get"},
    **{f"/approvals/{{approval_id}}/{verb}": {"post"} for verb in ("approve", "reject")},
    **{path: {"get"} for path in ("/billing/earnings", "/billing/payouts/preview")},
    **{path: {"get"} for path in ("/billing/summary", "/organizations/{organization_id}/summary")},
    **{path: {"get"} for path in ("/billing/statement", "/billing/balances", "/search", "/names")},
    "/billing/profile": {"get", "put"},
    "/billing/profile/decisions": {"put"},
    "/tax-rates": {"post", "get"},
    "/billing/invoices": {"post", "get"},
    "/billing/invoices/{invoice_id}": {"get", "put", "delete", "patch"},
    **{
        f"/billing/invoices/{{invoice_id}}/{command}": {"post"}
        for command in ("void", "pay", "finalize", "mark-uncollectible", "resume", "credit-notes", "charge")
    },
    "/billing/invoices/{invoice_id}/collection": {"post", "get"},
    "/billing/invoices/upcoming": {"get"},
    "/billing/runs": {"post", "get"},
    "/billing/runs/{period}": {"get"},
    "/billing/invoice-items": {"post", "get"},
    "/billing/invoice-items/{item_id}": {"delete"},
    **{f"/billing/invoices/{{invoice_id}}/{path}": {"get"} for path in ("pdf", "xml")},
    "/billing/invoices/{invoice_id}/credit-notes/{credit_note_id}/pdf": {"get"},
    "/payments/{payment_id}/receipt": {"get"},
    "/payments/{payment_id}/receipts": {"get"},
    "/payments/{payment_id}/receipts/{receipt_id}/pdf": {"get"},
    **{path: {"post"} for path in ("/usage/events", "/usage/estimate", "/billing/usage/sync")},
    **{path: {"get"} for path in ("/billing/usage", "/billing/usage/logs", "/usage/logs", "/usage/runs/{run_id}")},
    "/usage/meters": {"post", "get"},
    "/usage/meters/{meter_id}": {"get", "delete"},
    "/usage/meters/{meter_id}/charge": {"post"},
    "/usage/charges/{event_id}/void": {"post"},
    "/projects": {"post", "get"},
    "/projects/{slug}": {"get", "patch"},
    "/projects/{slug}/deploy": {"post", "delete"},
    "/projects/deployment/limits": {"get"},
    "/projects/deployment/purchase-slot": {"post"},
    "/organizations/{organization_id}/tier": {"put"},
    **{f"/organizations/{{organization_id}}/{path}": {"post"} for path in ("suspend", "resume", "close")},
    "/organizations/{organization_id}/contacts": {"get", "patch", "put"},
    "/organizations/{organization_id}/billing-terms": {"get", "put"},
    "/departments": {"post", "get"},
    "/spend-controls": {"post", "get"},
    "/exchange-rates": {"post", "get"},
    "/spend-controls/{control_id}": {"get", "put"},
    **{f"/spend-controls/{{control_id}}/{path}": {"get"} for path in ("versions", "spends", "refusals")},
    **{f"/spend-controls/{{control_id}}/{path}": {"post"} for path in ("freeze", "unfreeze", "close")},
    "/credits/departments/{department_id}/limits": {"get", "put"},
    "/departments/{department_id}": {"get"},
    "/departments/{department_id}/close": {"post"},
    "/agents/{agent_id}/attribution": {"get", "put"},
    "/agents/{agent_id}/category": {"put"},
    "/agents/{agent_id}/retire": {"post"},
    **{path: {"get"} for path in ("/marketplace/agents", "/marketplace/library", "/referrals")},
    "/marketplace/agents/{agent_id}": {"get", "put"},
    "/marketplace/agents/{agent_id}/purchase": {"post"},
    **{f"/marketplace/purchases/{{purchase_id}}/{path}": {"post"} for path in ("refund", "cancel")},
    **{f"/marketplace/purchases/{{purchase_id}}{path}": {"get"} for path in ("", "/actions")},
    "/api-keys/{key_id}/attribution": {"put"},
    "/payments/pricing/{agent_id}": {"get"},
    "/payments/pricing/{agent_id}/explanation": {"get"},
    "/payments/pricing/{agent_id}/quotes": {"post"},
    "/payments/pricing/{agent_id}/quotes/{quote_id}": {"get"},
    "/reputation/score/{agent_id}": {"get"},
    "/reputation/score/{agent_id}/explanation": {"get"},
    "/reputation/history/{agent_id}": {"get"},
    "/reputation/leaderboard": {"get"},
    "/reputation/peers/{agent_id}": {"get"},
    "/reputation/levels": {"get", "put"},
    "/reputation/levels/{agent_id}": {"get"},
    "/reputation/clients/{organization_id}": {"get"},
    "/reputation/feedback": {"get", "post"},
    "/reputation/feedback/{feedback_id}": {"put"},
    "/reputation/events": {"post"},
    "/reputation/events/{event_id}/void": {"post"},
    "/pricing/rules": {"post", "get"},
    "/pricing/rules/dry-run": {"post"},
    "/pricing/rules/{rule_id}": {"get", "put", "delete"},
    "/pricing/agents/{agent_id}": {"get", "put"},
    "/healthz": {"get"},
    "/readyz": {"get"},
}
WEBHOOKS = {
    *("/webhooks/stripe", "/billing/webhooks/stripe", "/billing/stripe/webhook", "/webhooks/paypal"),
    "/webhooks/stripe/issuing",
    "/webhooks/mail-bounces",
}
#: What whoever has a link asks without a key.
LINKS = {"/sessions/links/preview", "/sessions/redeem"}
OPEN_PATHS = {"/healthz", "/readyz", "/billing/config", "/sessions/mail"} | LINKS | WEBHOOKS
#: The refusals that clients match on, and where they may meet them.
CODES = {
    ("/escrows", "post"): {"escrow.exists", "escrow.amount_mismatch"},
    ("/escrows/{escrow_id}/fund", "post"): {"ledger.insufficient_funds", "escrow.wrong_state", "idempotency.missing"},
    ("/escrows/{escrow_id}/approvals", "post"): {"escrow.not_a_signatory", "escrow.already_signed"},
    ("/escrows/{escrow_id}/refunds", "post"): {"escrow.refund_exceeds_held", "idempotency.conflict"},
    ("/escrows/{escrow_id}/disputes/resolution", "post"): {"idempotency.in_flight", "auth.forbidden", "not_found"},
    ("/payments", "post"): {"payment.declined", "idempotency.missing", "escrow.amount_mismatch"},
    ("/marketplace/agents/{agent_id}/purchase", "post"): {"marketplace.own_agent", "marketplace.retired"},
    ("/billing/purchase-credits", "post"): {"payment.declined", "payment.no_method"},
    ("/payments/{payment_id}/confirm", "post"): {"payment.unknown_outcome", "payment.declined", "payment.wrong_state"},
    ("/payments/{payment_id}/refunds", "post"): {"payment.already_refunded", "payment.refund_exceeds_remainder"},
    ("/billing/payouts", "post"): {"payout.above_available", "payout.below_minimum", "payout.destination_held"},
    ("/tax-rates", "post"): {"tax.rate_exists"},
    ("/billing/invoices", "post"): {"idempotency.missing", "not_found"},
    ("/billing/invoices/{invoice_id}/charge", "post"): {"invoice.charge_under_way", "invoice.wrong_state", "not_found"},
    ("/billing/invoices/{invoice_id}/collection", "post"): {"invoice.collected_already", "invoice.wrong_state"},
    ("/billing/invoices/{invoice_id}/void", "post"): {"invoice.wrong_state", "not_found", "auth.forbidden"},
    ("/billing/invoices/{invoice_id}/credit-notes", "post"): {"credit_note.exceeds_remainder", "invoice.wrong_state"},
    ("/billing/invoices/{invoice_id}/pay", "post"): {
        *("invoice.wrong_state", "invoice.amount_mismatch", "payment.declined", "not_found", "idempotency.missing"),
    },
    ("/contracts", "post"): {"pricing.quote_used", "pricing.quote_expired", "pricing.quote_mismatch"},
    ("/reputation/feedback", "post"): {
        "reputation.not_settled",
        "reputation.already_given",
        "reputation.window_closed",
    },
    ("/pricing/rules", "post"): {"pricing.overlap", "pricing.expression_unsafe", "pricing.floor_above_ceiling"},
    ("/usage/events", "post"): {"usage.id_reused", "not_found"},
    ("/projects", "post"): {"deployment.limit_reached", "project.exists"},
    ("/projects/{slug}/deploy", "post"): {"deployment.limit_reached", "not_found", "idempotency.conflict"},
    ("/projects/deployment/purchase-slot", "post"): {"payment.declined", "idempotency.missing"},
    ("/credits/spends/{spend_id}/refunds", "post"): {"spend.refunded", "not_found", "idempotency.missing"},
    ("/credits/grants", "post"): {"auth.missing", "auth.invalid", "rate_limited", "service.unavailable"},
}


@pytest.fixture(scope="module")
async def document(world: World) -> dict[str, Any]:
    return good(await world.http.get("/openapi.json"))


def test_every_path_of_the_foundation_has_its_operation(document: dict[str, Any]) -> None:
    paths = {path.removeprefix("/api/v1"): set(methods) for path, methods in document["paths"].items()}
    missing = {path: methods - paths.get(path, set()) for path, methods in FOUNDATION.items()}
    assert {path: methods for path, methods in missing.items() if methods} == {}


def test_document_lists_each_operation_once_under_the_one_prefix(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [path for path in document["paths"] if not path.startswith("/api/v1/")] == []
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_operation_names_its_security_and_its_errors(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert [(scheme["type"], scheme["scheme"]) for scheme in schemes.values()] == [("http", "bearer")]
    for path, method, operation in operations(document):
        name = f"{method} {path}"
        responses = operation["responses"]
        if path.removeprefix("/api/v1") in OPEN_PATHS:
            assert not operation.get("security"), name
            continue
        assert operation["security"] == [{scheme: []} for scheme in schemes], name
        assert {"401", "403", "429", "500", "503"} <= responses.keys(), name
        assert {"400", "413", "415", "422"} <= responses.keys() or "requestBody" not in operation, name
        assert "404" in responses or "{" not in path, name
        for status, response in responses.items():
            if status >= "400":
                media = problem_of(document, response)
                assert media["schema"]["$ref"] == "#/components/schemas/Problem", name
                assert media["schema"]["properties"]["code"]["enum"] == sorted(media["examples"]), name
                for code, reference in media["examples"].items():
                    value = resolved(document, reference)["value"]
                    assert (value["code"], str(value["status"])) == (code, status)


@for_each("path, method", CODES)
def test_refusals_that_clients_match_on_are_documented(document: dict[str, Any], path: str, method: str) -> None:
    responses = document["paths"][f"/api/v1{path}"][method]["responses"].values()
    documented = {code for response in responses for code in problem_of(document, response).get("examples", {})}
    assert CODES[path, method] <= documented


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        for media_type, media in content.items():
            if media_type == "application/octet-stream":
                continue
            assert '"example' in json.dumps([media, _resolved(document, media["schema"])]), (method, path)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> list[Any]:
    names = [part["$ref"] for part in [schema, *schema.get("anyOf", [])] if "$ref" in part]
    return [document["components"]["schemas"][name.rpartition("/")[2]] for name in names]


async def test_webhooks_are_the_catalogue_of_events(document: dict[str, Any], world: World) -> None:
    catalogue = good(await world.client.get("/events/catalogue"))["data"]
    webhooks = {name: methods["post"] for name, methods in document["webhooks"].items()}
    assert {name: each["description"] for name, each in webhooks.items()} == {
        each["type"]: each["description"] for each in catalogue
    }
    for each in catalogue:
        media = webhooks[each["type"]]["requestBody"]["content"]["application/json"]
        assert media["schema"]["allOf"][1]["properties"]["data"] == each["data_schema"]
        assert media["example"]["data"] == each["example"]
        jsonschema.validate(media["example"], {**media["schema"], "components": document["components"]})


# Random requests ------------------------------------------------------------------------------------------------------

#: Paths of commands after which nothing new begins with what they are about.
ENDINGS = ("/retire", "/suspend", "/close")


@pytest.fixture(scope="module")
async def known(world: World) -> dict[str, list[str]]:
    """Ids that exist, so that random requests reach further than to a 404."""
    states = ("open", "funded", "delivered", "disputed", "released")
    escrows = [await world.escrow(state) for state in states for _ in range(3)]
    means: list[dict[str, Any]] = [
        {"payment_method": "pm_card_visa"},
        {"payment_method": "pm_card_visa"},
        {},
        {"hosted": True},
    ]
    top_ups = [good(await world.client.post("/billing/topup", {"amount": "10.00", **how}), 201) for how in means]
    return {
        "payment_id": [made["payment_id"] for made in top_ups],
        "escrow_id": [escrow["id"] for escrow in escrows],
        "contract_id": [(await world.award())["id"] for _ in range(10)],
        "agent_id": [world.running.ids["agent"]],
        "organization_id": [world.running.ids["client_org"], world.running.ids["studio_org"]],
    }


@pytest.fixture(scope="module")
async def dispensable(world: World) -> dict[str, list[str]]:
    """Objects that random requests may close; the seeded ones are shared by all tests of the stack."""
    agent = {"name": "Short-lived", "pricing": {"model": "one_time", "amount": "9.99", "currency": "USD"}}
    return {
        "agent_id": [good(await world.studio.post("/agents", agent), 201)["id"]],
        "organization_id": [good(await world.operator.post("/organizations", {"name": "Short-lived"}), 201)["id"]],
    }


@pytest.mark.slow
def test_random_requests_are_answered_as_documented(
    world: World, document: dict[str, Any], known: dict[str, list[str]], dispensable: dict[str, list[str]]
) -> None:
    # `from_url` waits 10 seconds, which the document's first construction exceeds on a busy machine.
    schema: schemathesis.BaseSchema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=world.running.api_url)
    # A stream has no end to wait for.
    schema = schema.exclude(path="/api/v1/changes/stream")
    numbers = iter(range(10**9))
    rng = random.Random(SEED)
    tokens = {**world.running.keys, "nobody": "bsk_unknown"}
    statuses: Counter[int] = Counter()
    problems: list[str] = []
    session = requests.Session()
    session.trust_env = False

    def ask(case: Case[Any], role: str, existing: bool, keyed: bool) -> None:
        if existing:
            _use_known(case, known | dispensable if case.path.endswith(ENDINGS) else known, rng)
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        if keyed:
            headers["Idempotency-Key"] = f"schema-{next(numbers)}"
        response = case.call(session=session, headers=headers, timeout=60)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    for result in schema.get_all_operations():
        operation = result.ok()
        cases = operation.as_strategy()
        if operation.body or operation.query or operation.headers:
            cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        with_draws = given(case=cases, role=st.sampled_from(ROLES), existing=st.booleans(), keyed=st.booleans())
        try:
            seed(SEED)(BOUNDED(with_draws(ask)))()
        except (Exception, ExceptionGroup) as error:
            problems.append(f"{operation.label}: {type(error).__name__} {error}")
    session.close()
    assert problems == []
    assert statuses.total() > 1000
    assert {200, 201, 400, 401, 403, 404, 409, 422} <= statuses.keys(), statuses
    assert not [status for status in statuses if status >= 500], statuses


def _use_known(case: Case[Any], known: dict[str, list[str]], rng: random.Random) -> None:
    """Put ids that exist where the document has one, in the path, the query and the body."""
    places = [case.path_parameters, case.query, case.body]
    for place in places:
        if isinstance(place, dict):
            for name in place.keys() & known.keys():
                place[name] = rng.choice(known[name])


def test_document_is_served_to_whoever_asks(world: World) -> None:
    answer = httpx2.get(f"{world.running.api_url}/openapi.json", trust_env=False, timeout=60)
    assert answer.headers["content-type"] == "application/json"
