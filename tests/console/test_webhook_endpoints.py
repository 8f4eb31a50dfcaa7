"""The page of a webhook endpoint offers what its status and the reader's role allow."""

from typing import Any

from domain.common.access import Permission
from tests.console.fake import NAMING
from tests.console.rendering import list_page, object_page, render
from tests.support.cases import for_each

AT = "2026-11-22T09:00:00Z"
ENDPOINT: dict[str, Any] = {
    **{"id": "whe_1", "url": "https://hooks.example.com/in", "types": ["*"], "description": None, "reason": None},
    **{"ordering": "subject", "status": "enabled", "public_key": None, "failing_since": None, "slowed_until": None},
    **{"delivered_at": None, "created_at": AT},
}
DELIVERY: dict[str, Any] = {
    **{"id": "whd_1", "type": "escrow.released", "subject": "esc_1", "status": "failed", "tries": 3},
    **{"next_try_at": None, "status_code": None, "error": "No route", "answer": None, "created_at": AT},
}


def offered(*permissions: Permission, status: str = "enabled", delivery: str = "failed") -> list[str]:
    page = object_page(listed=list_page().listed)
    rows = [{**DELIVERY, "status": delivery}]
    it = {**ENDPOINT, "status": status}
    shown = render("webhook_endpoint/page.html", page, *permissions, it=it, rows=rows, naming=NAMING)
    return [act for act in ("test", "pause", "resume", "rotate", "delete", "retry") if f"{page.here}/{act}" in shown]


@for_each(
    "status, acts",
    [
        ("enabled", ["test", "pause", "rotate", "delete", "retry"]),
        ("disabled", ["resume", "rotate", "delete"]),
        ("paused", ["rotate", "delete"]),
    ],
)
def test_endpoint_offers_what_its_status_allows(status: str, acts: list[str]) -> None:
    assert offered(Permission.MANAGE_WEBHOOKS, status=status) == acts


def test_endpoint_offers_nothing_to_who_only_reads() -> None:
    assert offered() == []


def test_delivered_event_is_not_sent_again() -> None:
    assert "retry" not in offered(Permission.MANAGE_WEBHOOKS, delivery="delivered")
