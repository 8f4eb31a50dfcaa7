"""The list of alerts: names in place of ids, what to do about each, and the commands that the reader has."""

from typing import Any

from console.alert.kinds import ADVICE, advice_for, title_of
from domain.common.access import Permission
from domain.messages.alert.kinds import KINDS
from domain.messages.alert.rules import BUILT_IN
from tests.console.rendering import list_page, render
from tests.console.walking import text_of
from tests.support.cases import for_each

AT = "2026-11-22T09:00:00Z"
OF_ALERT, MENTIONED = "ctl_01kar6x0qmf9rv4w7n2h8d3s5c", "agt_01kar6x0qmf9rv4w7n2h8d3s5c"
ORG, HOOK = "org_01kar6x0qmf9rv4w7n2h8d3s5c", "whe_01kar6x0qmf9rv4w7n2h8d3s5c"
ALERT: dict[str, Any] = {
    **{"id": "alr_1", "organization_id": ORG, "kind": "credits.exhausted", "subject": "x", "detail": "Nothing left."},
    **{"names": {}, "severity": "critical", "status": "firing", "for_operators": False, "created_at": AT},
    **{"acknowledged_by": None, "resolved_by": None, "snoozed_until": None},
}


def shown(*permissions: Permission, operates: bool = False, across: bool = False, **changes: Any) -> str:
    page = list_page(across=across)
    values = {"title_of": title_of, "advice": advice_for, "operates": operates, "snoozed": AT}

    def link(id: str, org_id: str | None = None) -> str:
        return f"/{org_id or 'own'}/{id}"

    return render("alert/list.html", page, *permissions, link=link, rows=[{**ALERT, **changes}], **values)


def acts(*permissions: Permission, **named: Any) -> list[str]:
    page = shown(*permissions, **named)
    return [act for act in ("acknowledge", "resolve", "snooze") if f"alr_1/{act}" in page]


def test_every_kind_of_alert_says_what_to_do() -> None:
    assert set(ADVICE) == set(KINDS) | set(BUILT_IN)


def test_alert_has_names_with_links_and_local_times_in_place_of_ids_and_utc() -> None:
    detail = f"A spend for {MENTIONED} was refused; the next window begins at 2026-11-23T00:00:00Z."
    page = shown(subject=OF_ALERT, detail=detail, names={OF_ALERT: "Research", MENTIONED: "Summariser"})
    assert f'<a href="/own/{OF_ALERT}" title="{OF_ALERT}"><bdi>Research</bdi></a>' in page
    assert "Summariser" in page
    assert '<time datetime="2026-11-23T00:00:00+00:00"' in page
    assert "Credits used up" in page


@for_each("names, is_linked", [({HOOK: "Books"}, True), ({}, False)])
def test_alert_leads_to_its_webhook_endpoint_unless_that_is_deleted(names: dict[str, str], is_linked: bool) -> None:
    page = shown(kind="webhook_endpoint.given_up", detail=f"The webhook endpoint {HOOK} was disabled.", names=names)
    assert (f'href="/own/{HOOK}"' in page) is is_linked


def test_alert_of_all_organizations_names_its_organization_and_links_to_that_ones_pages() -> None:
    page = shown(across=True, subject=OF_ALERT, names={ORG: "Acme"})
    assert f'href="/{ORG}/{OF_ALERT}"' in page
    assert f'href="/{ORG}/{ORG}"' in page
    assert "Acme" in text_of(page)


@for_each(
    "status, offered",
    [("firing", ["acknowledge", "resolve", "snooze"]), ("acknowledged", ["resolve", "snooze"]), ("resolved", [])],
)
def test_alert_offers_what_its_status_allows(status: str, offered: list[str]) -> None:
    assert acts(Permission.ACKNOWLEDGE, status=status) == offered
    assert acts(status=status) == []


def test_organization_does_not_resolve_what_is_for_operators() -> None:
    assert acts(Permission.ACKNOWLEDGE, for_operators=True) == ["acknowledge", "snooze"]
    assert "An operator also handles it" in shown(for_operators=True)
    assert "resolve" in acts(Permission.ACKNOWLEDGE, for_operators=True, operates=True)
