import csv
import io
from typing import Any

import pytest

from domain.common.cells import cell_text
from domain.messages.alert.rules import MAX_RULES
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.support.cases import for_each

pytestmark = pytest.mark.db

PATH = "/alert-rules"


@pytest.fixture
async def own(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "member", "auditor")


def _rule(**changes: Any) -> dict[str, Any]:
    rule = {
        "name": "balance_under_50",
        "metric": "credits.available",
        "condition": {"type": "below", "threshold": "50.00"},
    }
    return {**rule, **changes}


async def test_rule_is_written_read_replaced_and_deleted(own: Tenant) -> None:
    key = new_key()
    made = good(await own.owner.post(PATH, _rule(severity="critical", window="PT6H"), key=key), 201)
    assert good(await own.owner.post(PATH, _rule(severity="critical", window="PT6H"), key=key), 201) == made
    assert made["id"].startswith("rul_")
    assert (made["metric"], made["severity"], made["enabled"]) == ("credits.available", "critical", True)
    assert (made["window"], made["cool_down"], made["channels"]) == ("PT6H", "PT1H", None)
    assert made["condition"] == {
        **{"type": "below", "threshold": "50.00", "measure": "absolute"},
        **dict.fromkeys(("direction", "of", "period")),
    }
    assert good(await own.auditor.get(f"{PATH}/{made['id']}")) == made
    changed = {"metric": "usage.events", "condition": {"type": "absent_for", "period": "PT2H"}, "enabled": False}
    put = good(await own.owner.ask("PUT", f"{PATH}/{made['id']}", json=changed))
    assert (put["name"], put["metric"], put["enabled"]) == ("balance_under_50", "usage.events", False)
    assert put["condition"]["period"] == "PT2H"
    assert (await own.owner.delete(f"{PATH}/{made['id']}")).status_code == 204
    refused(await own.owner.get(f"{PATH}/{made['id']}"), 404, "not_found")
    refused(await own.owner.delete(f"{PATH}/{made['id']}"), 404, "not_found")
    good(await own.owner.post(PATH, _rule()), 201)
    entries = good(await own.auditor.get(f"/audit?target={made['id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["alert_rule.delete", "alert_rule.change", "alert_rule.create"]


@for_each(
    "changes, field",
    [
        ({"metric": "no.such"}, "metric"),
        ({"metric": "inbox.oldest", "condition": {"type": "above", "threshold": "60"}}, "metric"),
        ({"metric": None}, "metric"),
        ({"condition": None}, "condition"),
        ({"window": "-P1D"}, "window"),
        ({"window": -60}, "window"),
        ({"window": "PT1S"}, "window"),
        ({"window": "P32D"}, "window"),
        ({"cool_down": "P32D"}, "cool_down"),
        ({"channels": []}, "channels"),
        ({"channels": ["nch_1", "nch_1"]}, "channels"),
        ({"channels": ["nch_1"]}, "channels.0"),
        ({"ladder": []}, "ladder"),
        ({"ladder": [{"role": "owner"}, {"role": "operator", "after": "PT2H"}]}, "ladder.1.role"),
        ({"ladder": [{"role": "owner", "after": "-PT1H"}]}, "ladder.0.after"),
        ({"ladder": [{"role": "owner", "after": "PT1H"}, {"role": "admin"}]}, "ladder.1.after"),
        ({"name": "Bad Name"}, "name"),
        ({"filter": {"agent_id": "agt_1"}}, "filter.agent_id"),
        ({"metric": "credits.used", "filter": {"agent_id": "agt_1"}}, "filter.agent_id"),
        ({"metric": "payments.started", "filter": {"provider": "x"}}, "filter.provider"),
        ({"metric": "spend_control.used"}, "filter.control_id"),
        ({"condition": {"type": "below", "threshold": "0.1234567"}}, "condition.threshold"),
        ({"condition": {"type": "below", "threshold": "0"}}, "condition.threshold"),
        ({"condition": {"type": "unusual"}}, "condition.type"),
        ({"condition": {"type": "sometimes"}}, "condition.type"),
        (
            {"metric": "payments.failed_share", "condition": {"type": "above", "threshold": "100"}},
            "condition.threshold",
        ),
    ],
)
async def test_rule_that_is_wrong_is_refused_with_its_field(
    changes: dict[str, Any], field: str, tenant: Tenant
) -> None:
    response = await tenant.owner.post(PATH, _rule(**changes))
    document = response.json()
    assert response.status_code == 422, document
    assert document.get("field", document.get("errors", [{}])[0].get("field")) == field


async def test_threshold_of_a_limit_is_in_the_asset_of_its_control(own: Tenant) -> None:
    subject = {"type": "run", "id": "nightly"}
    control = good(await own.owner.post("/spend-controls", {"subject": subject, "currency": "JPY"}), 201)
    wanted = {"metric": "spend_control.used", "filter": {"control_id": control["id"]}}
    fine = {"type": "crosses", "threshold": "100", "direction": "up"}
    document = refused(
        await own.owner.post(PATH, _rule(**wanted, condition={**fine, "threshold": "100.5"})), 422, "request.invalid"
    )
    assert document["field"] == "condition.threshold"
    made = good(await own.owner.post(PATH, _rule(**wanted, condition=fine)), 201)
    assert made["condition"]["threshold"] == "100"
    percent = {"type": "crosses", "threshold": "90", "measure": "percent"}
    made = good(await own.owner.post(PATH, _rule(**wanted, name="in_percent", condition=percent)), 201)
    assert made["condition"]["measure"] == "percent"


async def test_names_are_unique_and_built_in_names_are_reserved(own: Tenant) -> None:
    good(await own.owner.post(PATH, _rule()), 201)
    refused(await own.owner.post(PATH, _rule()), 409, "alert_rule.exists")
    refused(await own.owner.post(PATH, _rule(name="failed_payment")), 409, "alert_rule.exists")


async def test_organization_has_so_many_rules_and_no_more(own: Tenant) -> None:
    for number in range(MAX_RULES):
        good(await own.owner.post(PATH, _rule(name=f"rule_{number}")), 201)
    document = refused(await own.owner.post(PATH, _rule()), 409, "alert_rule.limit_reached")
    assert document["limit"] == MAX_RULES
    good(await own.owner.ask("PUT", f"{PATH}/cost_spike", json={"enabled": False}))


async def test_built_in_rules_exist_and_are_changed_by_name(own: Tenant) -> None:
    names = [rule["name"] for rule in good(await own.member.get(PATH))["data"]]
    assert names == ["low_credit_balance", "failed_payment", "budget_80_percent", "cost_spike", "high_roi"]
    there = f"{PATH}/cost_spike"
    assert good(await own.member.get(there))["enabled"] is True
    put = good(await own.owner.ask("PUT", there, json={"enabled": False, "severity": "info"}))
    assert (put["id"], put["built_in"], put["enabled"], put["severity"]) == ("cost_spike", True, False, "info")
    assert good(await own.member.get(there)) == put
    document = refused(await own.owner.ask("PUT", there, json={"metric": "credits.used"}), 422, "request.invalid")
    assert document["field"] == "metric"
    refused(await own.member.ask("PUT", there, json={}), 403, "auth.forbidden")
    assert (await own.owner.delete(there)).status_code == 204
    assert good(await own.member.get(there))["enabled"] is True
    refused(await own.owner.get(f"{PATH}/provider_down"), 404, "not_found")


async def test_rule_defines_its_escalation_until_an_answer(operator: Caller, own: Tenant) -> None:
    ladder = [{"role": "owner", "after": None}, {"role": "admin", "after": "PT30M"}]
    made = good(await own.owner.post(PATH, _rule(ladder=ladder)), 201)
    assert made["ladder"] == ladder
    assert good(await own.owner.ask("PUT", f"{PATH}/{made['id']}", json=_changed(made)))["ladder"] is None
    put = good(await own.owner.ask("PUT", f"{PATH}/cost_spike", json={"ladder": ladder}))
    assert put["ladder"] == ladder
    assert good(await own.owner.get(f"{PATH}/cost_spike")) == put
    longer = [*ladder, {"role": "operator", "after": "PT2H"}]
    made = good(await operator.post(PATH, _rule(name="watched", organization_id=own.org_id, ladder=longer)), 201)
    assert good(await own.owner.get(f"{PATH}/{made['id']}"))["ladder"] == longer


def _changed(rule: dict[str, Any]) -> dict[str, Any]:
    return {"metric": rule["metric"], "condition": {"type": "below", "threshold": "20"}}


async def test_operators_write_rules_over_all_and_for_an_organization(operator: Caller, own: Tenant) -> None:
    over_all = {"name": new_key().replace("-", "_"), "metric": "inbox.oldest"}
    body = {**over_all, "condition": {"type": "above", "threshold": "60"}}
    made = good(await operator.post(PATH, body), 201)
    assert made["organization_id"] is None
    refused(await own.owner.get(f"{PATH}/{made['id']}"), 404, "not_found")
    assert made["id"] in {rule["id"] for rule in good(await operator.get(PATH))["data"]}
    assert (await operator.delete(f"{PATH}/{made['id']}")).status_code == 204
    made = good(await operator.post(PATH, _rule(organization_id=own.org_id)), 201)
    assert good(await own.owner.get(f"{PATH}/{made['id']}")) == made
    listed = good(await operator.get(f"{PATH}?organization_id={own.org_id}"))["data"]
    assert made["id"] in {rule["id"] for rule in listed}


async def test_metrics_are_listed_with_how_they_can_be_judged(operator: Caller, tenant: Tenant) -> None:
    own = {one["name"]: one for one in good(await tenant.owner.get(f"{PATH}/metrics"))["data"]}
    assert "runs_out_within" in own["credits.available"]["conditions"]
    assert own["spend_control.used"]["required_filters"] == ["control_id"]
    assert "inbox.oldest" not in own
    assert "inbox.oldest" in {one["name"] for one in good(await operator.get(f"{PATH}/metrics"))["data"]}


async def test_rules_are_written_as_csv(own: Tenant) -> None:
    listed = good(await own.owner.get("/alert-rules"))["data"]
    answer = await own.owner.get("/alert-rules", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows == [{name: cell_text(value) for name, value in rule.items()} for rule in listed]
    assert len(rows) > 1
