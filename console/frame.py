"""Frame of every page, as one frozen value: the signed-in principal, credits, tier, navigation, bands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.choices import Choices
from console.format import Amount, amount
from console.gateway import Answer
from console.navigation import Exists, Group, navigation
from console.notices import NOTICES
from console.texts import N_, _, gettext
from console.who import Me, Organization, actor_named, role_named
from domain.common.access import Permission

#: What `environment` of `GET /me` is said as; on live nothing is said.
BANDS = {
    "sandbox": N_("Sandbox: no money moves"),
    "test": N_("Test accounts: no money moves"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Message that is shown once on top of a page. The tone is one of good, busy, bad, idle, warn."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """The header's content for the signed-in principal.

    Attributes:
        principal: the name that they act under.
        role: in words.
        made_by: who made the link that they came in by; None for their own sessions.
        organization: whose pages these are; None on the platform's.
        credits: what can be spent; None if there is no organization or it is not told.
        credits_href: the transactions; empty if the role may not read them.
        top_up: where credits are added; None if the role may not, or the page is not there.
        upgrade: where the plan is changed; the same.
        search: whether the role can search.
        notified: whether the role is told anything, and so has notifications.
        unread: how many of these were not read, as text; empty for none.
        back: where the link that they came by leads back to, with its host.
    """

    principal: str
    role: str
    home: str
    made_by: str | None = None
    organization: Organization | None = None
    credits: Amount | None = None
    credits_href: str = ""
    top_up: str | None = None
    upgrade: str | None = None
    search: bool = False
    notified: bool = False
    unread: str = ""
    back: str | None = None
    back_host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Value that every template gets as `frame`.

    Attributes:
        brand: the installation's name.
        theme: `system`, `light` or `dark`.
        shortcuts: whether single keys do something.
        zone: in which times are shown.
        band: of an environment in which no money moves; empty if it does.
        operator_band: says whose pages an operator looks at; empty for the tenant itself.
        header: None without a session.
        groups: the side navigation.
        notice: what is said once.
        path: of this page with its query, to come back to.
        changes: the stream of what changes, which the page follows; empty if it follows none.
        marks: what each topic had come to before the page was read, as JSON; empty if that is not known.
        is_there: whether the address has this page: not where a form was answered, nor where something is not there.
    """

    brand: str
    theme: str
    shortcuts: bool
    zone: str
    path: str
    band: str = ""
    operator_band: str = ""
    header: Header | None = None
    groups: tuple[Group, ...] = field(default=())
    notice: Notice | None = None
    changes: str = ""
    marks: str = ""
    is_there: bool = False


def anonymous(brand: str, choices: Choices, path: str, notice: str = "", *, environment: str) -> Frame:
    """Return the frame of pages without sign-in, with the same band about real money as the others."""
    return Frame(
        brand=brand,
        theme=choices.theme,
        shortcuts=choices.shortcuts,
        zone=choices.zone or "UTC",
        path=path,
        band=gettext(BANDS.get(environment, "")),
        notice=notice_of(notice),
    )


def frame(
    me: Me,
    choices: Choices,
    *,
    brand: str,
    path: str,
    query: str,
    exists: Exists,
    organization: Organization | None,
    balance: Answer | None,
    marks: Mapping[str, int] | None,
    notice: str,
    back: str | None,
) -> Frame:
    """Return the frame of a page."""
    own = me.organization.id if me.organization else None
    org_id = organization.id if organization else None
    base = f"/console/{org_id}" if org_id else "/console/platform"
    groups = navigation(me, org_id, path, exists)
    offered = {link.href for group in groups for link in group.links}
    plans = f"{base}/billing/plans"
    credits = None
    if balance is not None and balance.ok:
        credits = amount(balance.body["available"], balance.body["currency"], choices.prefs)
    header = Header(
        principal=me.principal,
        role=role_named(me.role),
        home=f"/console/{own}" if own else "/console/",
        made_by=actor_named(me.made_by) if me.made_by else None,
        organization=organization,
        credits=credits,
        credits_href=f"{base}/transactions" if me.may(Permission.READ_BILLING) else "",
        top_up=f"{base}/top-up" if f"{base}/top-up" in offered else None,
        upgrade=plans if org_id and f"{base}/billing" in offered and exists(plans) else None,
        search=not me.is_platform or "inspect" in me.permissions,
        notified=me.may(Permission.BE_NOTIFIED),
        unread="99+" if me.unread > 99 else str(me.unread or ""),
        back=back if _is_web(back) else None,
        back_host=urlsplit(back).netloc if back and _is_web(back) else "",
    )
    band = ""
    if me.is_platform and organization:
        band = _("You are viewing %(name)s as %(role)s", name=organization.name, role=role_named(me.role))
    return Frame(
        brand=brand,
        theme=choices.theme,
        shortcuts=choices.shortcuts,
        zone=choices.zone or "UTC",
        path=f"{path}?{query}" if query else path,
        band=gettext(BANDS.get(me.environment, "")),
        operator_band=band,
        header=header,
        groups=groups,
        notice=notice_of(notice),
        changes=f"{base}/changes" if (org_id or me.is_platform) and me.may(Permission.READ) else "",
        marks=json.dumps(marks, separators=(",", ":")) if marks is not None else "",
    )


def _is_web(address: str | None) -> bool:
    return address is not None and address.startswith(("https://", "http://"))


def notice_of(word: str) -> Notice | None:
    """Return what a word of an address says; nothing for a word that is not on the list."""
    said = NOTICES.get(word)
    return Notice(said[0], gettext(said[1])) if said else None
