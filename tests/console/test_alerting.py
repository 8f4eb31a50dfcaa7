"""Forms of the console for alerts, alert rules and webhook endpoints."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from repositories.messages import alert
from runtime.database import Database
from tests.api.conftest import Tenant, good
from tests.console.conftest import Visitor
from tests.console.fake import ORG, OWN, FakeApi, browser, problem

KEY = "con_alerting_0123456789"


async def raised(database: Database, org_id: str, subject: str, kind: str = "payment.debt") -> str:
    """Raise an alert of an organization's own."""
    async with database.platform() as session:
        await alert.raise_alert(
            session,
            kind=kind,
            subject=subject,
            detail="Look.",
            org_id=org_id,
            shared=True,
            for_operators=False,
        )
    return subject


async def seen(tenant: Tenant, subject: str) -> dict[str, Any]:
    rows = good(await tenant.owner.get("/alerts", params={"subject": subject}))["data"]
    (found,) = [row for row in rows if row["subject"] == subject]
    return dict(found)


@pytest.mark.db
async def test_alert_is_acknowledged_snoozed_and_resolved_once(
    visitors: dict[str, Visitor], tenant: Tenant, database: Database
):
    subject = await raised(database, tenant.org_id, "spc_taken_on")
    base = f"/console/{tenant.org_id}/alerts"
    path = f"{base}/{(await seen(tenant, subject))['id']}"
    taken = await visitors["finance"].post(f"{path}/acknowledge", {"command": f"{KEY}1"})
    assert taken.headers["location"] == f"{base}?notice=alert.acknowledged"
    assert (await seen(tenant, subject))["status"] == "acknowledged"
    until = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()
    put_off = await visitors["owner"].post(f"{path}/snooze", {"command": f"{KEY}2", "until": until})
    assert put_off.headers["location"].endswith("alert.snoozed")
    assert (await seen(tenant, subject))["snoozed_until"] is not None
    done = await visitors["owner"].post(f"{path}/resolve", {"command": f"{KEY}3"})
    assert done.headers["location"].endswith("alert.resolved")
    assert (await seen(tenant, subject))["status"] == "resolved"
    late = await visitors["owner"].post(f"{path}/snooze", {"command": f"{KEY}4", "until": until})
    assert late.status_code == 409
    assert "Nothing was done" in late.text


@pytest.mark.db
async def test_alert_commands_are_refused_to_readers_and_strangers(
    visitors: dict[str, Visitor], tenant: Tenant, database: Database, stranger: Tenant
):
    path = f"{(await seen(tenant, await raised(database, tenant.org_id, 'spc_refused')))['id']}/acknowledge"
    answer = await visitors["auditor"].post(f"/console/{tenant.org_id}/alerts/{path}", {"command": KEY})
    assert answer.status_code == 403
    answer = await visitors["owner"].post(f"/console/{stranger.org_id}/alerts/{path}", {"command": KEY})
    assert answer.status_code == 404
    assert (await seen(tenant, "spc_refused"))["status"] == "firing"


@pytest.mark.db
async def test_alert_links_only_to_pages_its_reader_may_open(
    visitors: dict[str, Visitor], tenant: Tenant, database: Database
) -> None:
    await raised(database, tenant.org_id, "spc_exhausted", "credits.exhausted")
    link, page = f'href="/console/{tenant.org_id}/top-up">', f"/console/{tenant.org_id}/alerts"
    assert link in (await visitors["owner"].get(page)).text.partition("<main")[2]
    for role in ("auditor", "operator"):
        assert link not in (await visitors[role].get(page)).text


async def test_alert_list_keeps_its_filters_after_an_acknowledgement() -> None:
    api = FakeApi(answers={"POST /alerts/alt_1/acknowledge": (200, {})})
    came = {"Referer": f"http://127.0.0.1:8000/console/{ORG}/alerts?severity=critical&cursor=x"}
    async with browser(api, signed_in=True) as client:
        path = f"/console/{ORG}/alerts/alt_1/acknowledge"
        answer = await client.post(path, data={"command": KEY}, headers={**OWN, **came})
    assert answer.headers["location"] == f"/console/{ORG}/alerts?severity=critical&notice=alert.acknowledged"


@pytest.mark.db
async def test_rule_is_written_changed_switched_and_deleted(visitors: dict[str, Visitor], objects: dict[str, str]):
    finance, base = visitors["finance"], f"/console/{objects['org']}/alerts/settings/rules"
    written = {"name": "spent_much", "metric": "credits.used", "type": "above", "threshold": "20", "window": "7d"}
    written |= {"cool_down": "1h", "severity": "warning", "enabled": "on", "command": await finance.form(f"{base}/new")}
    assert (await finance.post(f"{base}/new", written)).headers["location"].endswith("rule.written")
    page = (await finance.get(base)).text
    assert "Credits used, less refunds, by time of use: above 20" in page
    path = f"{base}/{await _rule(finance, base, 'spent_much')}"
    assert 'value="7d"' in (await finance.get(path)).text
    off = await finance.post(f"{path}/switch", {"command": f"{KEY}w1", "enabled": "off"})
    assert off.headers["location"].endswith("rule.off")
    changed = {name: value for name, value in written.items() if name not in {"name", "enabled"}}
    changed |= {"threshold": "35", "command": f"{KEY}w2"}
    assert (await finance.post(path, changed)).headers["location"].endswith("rule.changed")
    page = (await finance.get(path)).text
    assert 'value="35.00"' in page
    assert 'value="on" checked' not in page
    deleted = await finance.post(f"{path}/delete", {"command": f"{KEY}w3"})
    assert deleted.headers["location"].endswith("rule.deleted")
    assert (await finance.get(path)).status_code == 404


async def _rule(visitor: Visitor, base: str, name: str) -> str:
    page = (await visitor.get(base)).text
    before, _, _ = page.partition(f">{name}</bdi>")
    return before.rpartition(f"{base}/")[2].partition('"')[0]


@pytest.mark.db
async def test_recipients_of_a_rule_survive_switching_and_match_its_form(
    visitors: dict[str, Visitor], tenant: Tenant, objects: dict[str, str]
):
    path = f"/console/{objects['org']}/alerts/settings/rules/{objects['alert_rule']}"
    before = good(await tenant.owner.get(f"/alert-rules/{objects['alert_rule']}"))["ladder"]
    assert before
    fields = {"metric": "credits.available", "type": "below", "threshold": "40", "severity": "info", "enabled": "on"}
    for state in ("off", "on"):
        switched = await visitors["owner"].post(f"{path}/switch", {"command": f"{KEY}{state}", "enabled": state})
        assert switched.status_code == 303
    assert good(await tenant.owner.get(f"/alert-rules/{objects['alert_rule']}"))["ladder"] == before
    assert '<option value="admin" selected>' in (await visitors["owner"].get(path)).text
    # The second step was left out, so that what the API calls the second is the third of the form.
    fields |= {"ladder_0_role": "finance", "ladder_0_after": "2h", "ladder_2_role": "owner", "ladder_2_after": "1h"}
    refused = await visitors["owner"].post(path, {"command": f"{KEY}order", **fields})
    assert refused.status_code == 422
    assert 'href="#f-ladder_2_after"' in refused.text
    fields["ladder_2_after"] = "3h"
    assert (await visitors["owner"].post(path, {"command": f"{KEY}change", **fields})).status_code == 303
    after = good(await tenant.owner.get(f"/alert-rules/{objects['alert_rule']}"))
    ladder = [{"role": "finance", "after": "PT2H"}, {"role": "owner", "after": "PT3H"}]
    assert (after["ladder"], after["condition"]["threshold"]) == (ladder, "40.00")


@pytest.mark.db
async def test_built_in_rule_is_switched_off_and_set_back(visitors: dict[str, Visitor], objects: dict[str, str]):
    owner, path = visitors["owner"], f"/console/{objects['org']}/alerts/settings/rules/cost_spike"
    answer = await owner.post(path, {"command": f"{KEY}5", "severity": "critical"})
    assert answer.headers["location"].endswith("rule.changed")
    page = (await owner.get(path)).text
    assert '<option value="critical" selected>' in page
    assert "Reset" in page
    assert (await owner.post(f"{path}/delete", {"command": f"{KEY}6"})).headers["location"].endswith("rule.deleted")
    assert "Reset" not in (await owner.get(path)).text


@pytest.mark.db
async def test_invalid_rule_is_refused_at_its_field(visitors: dict[str, Visitor], objects: dict[str, str]):
    path = f"/console/{objects['org']}/alerts/settings/rules/new"
    fields = {"name": "never", "metric": "credits.available", "type": "below", "threshold": "1,5", "severity": "info"}
    answer = await visitors["owner"].post(path, {"command": KEY, **fields})
    assert answer.status_code == 422
    assert 'href="#f-threshold"' in answer.text
    assert 'value="1,5"' in answer.text


_ENDPOINT = "whe_01kar6h2d8e4wvq3r5s7t9x1za"
_STATUS = {"pause": "disabled", "resume": "enabled"}
_DELIVERY = "whd_01kar6h2d8e4wvq3r5s7t9x1za"


@pytest.mark.parametrize(
    ("act", "order", "fields", "notice"),
    [
        ("pause", f"PATCH /webhook-endpoints/{_ENDPOINT}", {}, "endpoint.paused"),
        ("resume", f"PATCH /webhook-endpoints/{_ENDPOINT}", {}, "endpoint.resumed"),
        ("test", f"POST /webhook-endpoints/{_ENDPOINT}/test", {}, "endpoint.tested"),
        ("retry", f"POST /webhook-deliveries/{_DELIVERY}/retry", {"delivery": _DELIVERY}, "endpoint.retried"),
    ],
)
async def test_endpoint_is_paused_resumed_tested_and_retries_a_delivery(
    act: str, order: str, fields: dict[str, str], notice: str
) -> None:
    api = FakeApi(answers={order: (202, {})})
    path = f"/console/{ORG}/alerts/settings/endpoints/{_ENDPOINT}"
    async with browser(api, signed_in=True) as client:
        answer = await client.post(f"{path}/{act}", data={"command": KEY, **fields}, headers=OWN)
    assert answer.headers["location"] == f"{path}?notice={notice}"
    assert api.commands() == [order]
    changes = [body for name, _, body in api.asked if name.startswith("PATCH")]
    assert changes == ([{"status": _STATUS[act]}] if act in _STATUS else [])


async def test_endpoint_is_deleted_and_the_list_is_shown() -> None:
    api = FakeApi(answers={f"DELETE /webhook-endpoints/{_ENDPOINT}": (204, None)})
    path = f"/console/{ORG}/alerts/settings/endpoints"
    async with browser(api, signed_in=True) as client:
        answer = await client.post(f"{path}/{_ENDPOINT}/delete", data={"command": KEY}, headers=OWN)
    assert answer.headers["location"] == f"{path}?notice=endpoint.deleted"


async def test_unknown_delivery_is_not_found() -> None:
    api = FakeApi()
    path = f"/console/{ORG}/alerts/settings/endpoints/{_ENDPOINT}/retry"
    async with browser(api, signed_in=True) as client:
        answer = await client.post(path, data={"command": KEY, "delivery": "../billing/payouts"}, headers=OWN)
    assert answer.status_code == 400
    assert api.commands() == []


async def test_new_secret_is_shown_once_and_never_stored() -> None:
    made = {"id": _ENDPOINT, "url": "https://hooks.example.com/in", "secret": "whsec_new", "public_key": None}
    api = FakeApi(answers={f"POST /webhook-endpoints/{_ENDPOINT}/rotate-secret": (200, made)})
    path = f"/console/{ORG}/alerts/settings/endpoints/{_ENDPOINT}/rotate"
    async with browser(api, signed_in=True) as client:
        answer = await client.post(path, data={"command": KEY}, headers=OWN)
    assert "whsec_new" in answer.text
    assert "no-store" in answer.headers["cache-control"]


async def test_usage_is_pulled_once_and_unknown_without_an_answer() -> None:
    api = FakeApi(answers={"POST /billing/usage/sync": (202, {})})
    path = f"/console/{ORG}/usage"
    async with browser(api, signed_in=True) as client:
        answer = await client.post(f"{path}/sync", data={"command": KEY}, headers=OWN)
        assert answer.headers["location"] == f"{path}?notice=usage.syncing"
        api.answers["POST /billing/usage/sync"] = problem(503, "service.unavailable")
        silent = await client.post(f"{path}/sync", data={"command": KEY}, headers=OWN)
    assert "Outcome unknown" in silent.text
    assert f'name="command" value="{KEY}"' in silent.text


@pytest.mark.db
async def test_usage_is_not_pulled_by_tenants(visitors: dict[str, Visitor], objects: dict[str, str]):
    answer = await visitors["owner"].post(f"/console/{objects['org']}/usage/sync", {"command": KEY})
    assert answer.status_code == 403
