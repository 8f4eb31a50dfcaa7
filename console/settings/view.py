"""What the overview of the settings shows, and the tabs that all of its pages share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment, titled
from console.status import Status, status_of
from console.visit import Visit
from console.who import role_named
from console.widgets import Page, Tab
from domain.common.access import Permission

#: Each part of the settings: its name, its path, and who is offered it.
PARTS: tuple[tuple[str, str, Permission | None], ...] = (
    ("Overview", "/settings", None),
    ("Billing details", "/settings/billing", Permission.READ_BILLING),
    ("Keys", "/settings/keys", Permission.READ_AUDIT),
    ("Secrets", "/secrets", Permission.READ),
    ("Sessions", "/settings/sessions", None),
    ("Links", "/settings/links", Permission.MANAGE_KEYS),
    ("Audit trail", "/settings/audit", Permission.READ_AUDIT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Page):
    """The overview: the organization, and who one is in it."""

    tabs: tuple[Tab, ...]
    organization_id: Ident
    name: str
    tier: str
    status: Status
    reason: str
    created: Moment
    principal: str
    role: str
    made_by: str
    ends: Moment | None
    operator: bool


def tabs(visit: Visit, current: str) -> tuple[Tab, ...]:
    shown = parts(visit.base, current, visit.may)
    # Who decides or scores work reads no secrets of the organization.
    return tuple(each for each in shown if visit.reads_all or each.href != f"{visit.base}/secrets")


def parts(base: str, current: str, may: Callable[[Permission], bool]) -> tuple[Tab, ...]:
    return tuple(
        Tab(label=label, href=base + path, current=path == current)
        for label, path, need in PARTS
        if need is None or may(need)
    )


def page(
    organization: Mapping[str, Any],
    shown: tuple[Tab, ...],
    prefs: Prefs,
    *,
    principal: str,
    role: str,
    made_by: str | None,
    ends: str | None,
    operator: bool,
) -> Settings:
    return Settings(
        title="Settings",
        tabs=shown,
        organization_id=ident(organization["id"]),
        name=organization["name"],
        tier=titled(organization["tier"]),
        status=status_of("organization", organization["status"]),
        reason=organization["status_reason"] or "",
        created=moment(organization["created_at"], prefs),
        principal=principal,
        role=role_named(role),
        made_by=made_by or "",
        ends=moment(ends, prefs) if ends else None,
        operator=operator,
    )
