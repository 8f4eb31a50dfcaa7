"""The overview of an organization's settings, and the tabs that all of their pages share."""

from starlette.responses import Response

from console.routing import tenant
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Page, Tab
from domain.common.access import Permission

#: Each part of the settings: its name, its path, and who is offered it.
PARTS: tuple[tuple[str, str, Permission | None], ...] = (
    (N_("Overview"), "/settings", None),
    (N_("Billing details"), "/settings/billing", Permission.READ_BILLING),
    (N_("Keys"), "/settings/keys", Permission.READ),
    (N_("Secrets"), "/secrets", Permission.READ),
    (N_("Sessions"), "/settings/sessions", None),
    (N_("Links"), "/settings/links", Permission.MANAGE_KEYS),
    (N_("Audit trail"), "/settings/audit", Permission.READ_AUDIT),
)


def tabs(visit: Visit, current: str = "") -> tuple[Tab, ...]:
    """Return the tabs; `current` is the path of the page, where its address is not."""
    here = f"{visit.base}{current}" if current else visit.request.url.path
    return tuple(
        Tab(label=gettext(label), href=f"{visit.base}{path}", current=f"{visit.base}{path}" == here)
        for label, path, need in PARTS
        # Who decides or scores work reads no secrets and keys of the organization.
        if (need is None or visit.may(need)) and (path not in {"/secrets", "/settings/keys"} or visit.reads_all)
    )


async def show(visit: Visit) -> Response:
    organization = (await visit.ask(f"/organizations/{visit.org_id}")).need()
    values = {"it": organization, "parts": tabs(visit), "me": visit.me, "logo": f"{visit.base}/settings/logo"}
    return await visit.show("settings/page.html", Page(title=_("Settings")), values)


ROUTES = (tenant("/settings", show),)
