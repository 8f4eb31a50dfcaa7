"""API keys, of an organization and for operators of all: listed, created with the secret shown once, revoked."""

from collections.abc import Callable, Collection, Mapping, Set
from typing import Any

from starlette.responses import Response

from console import lists
from console.filters import moment
from console.forms import Form, FormState, blank
from console.gateway import Answer
from console.lists import ListResult, Options
from console.noun import Done, Json, Noun, beginning
from console.noun_page import pick, search, select, tab
from console.routing import platform, tenant
from console.settings.pages import tabs
from console.texts import N_, _, gettext
from console.visit import Visit
from console.who import role_named
from console.widgets import Confirmation, address
from domain.common.access import GRANTABLE, PLATFORM_ROLES, REVOCABLE, Permission, Role

#: What the roles of an organization are for, in a line each.
ROLES: Mapping[Role, str] = {
    Role.OWNER: N_("Owner: everything, and payouts"),
    Role.ADMIN: N_("Admin: everything except payouts"),
    Role.FINANCE: N_("Finance: payments, invoices, payouts and limits"),
    Role.MEMBER: N_("Member: awards and funds work, runs agents and projects"),
    Role.AUDITOR: N_("Auditor: reads everything, changes nothing"),
    Role.AGENT: N_("Agent: acts for one agent only"),
}
#: The permissions that the form can give to a key of an agent, each a box of its own.
_ADDED = (Permission.READ_BILLING.value, Permission.ACCEPT.value, Permission.REFUND.value)


def roles_of(roles: Collection[Role]) -> Options:
    """Return roles with what they are for, in the order of what they may."""
    words = {role: _("%(role)s, of the platform", role=role_named(role).capitalize()) for role in Role}
    return tuple((role.value, gettext(ROLES[role]) if role in ROLES else words[role]) for role in Role if role in roles)


def role_filter(roles: Collection[Role]) -> Callable[[Visit], Options]:
    return lambda _visit: (
        ("", _("Any")),
        *((role.value, role_named(role).capitalize()) for role in Role if role in roles),
    )


def grantable_by(visit: Visit, roles: Set[Role] = frozenset(Role) - PLATFORM_ROLES) -> frozenset[Role]:
    """Return the roles that the reader may give; none without the permission for keys."""
    return (
        GRANTABLE.get(Role(visit.me.role), frozenset()) & set(roles)
        if visit.may(Permission.MANAGE_KEYS)
        else frozenset()
    )


def revocable_by(visit: Visit) -> frozenset[Role]:
    """Return the roles whose keys, sessions and links the reader may end."""
    return REVOCABLE.get(Role(visit.me.role), frozenset()) if visit.may(Permission.MANAGE_KEYS) else frozenset()


async def _of_keys(visit: Visit, found: ListResult) -> Json:
    fields = ("agent_id", "department_id", "project_id", *(() if visit.org_id else ("organization_id",)))
    return {"naming": await visit.naming(found.rows, *fields), "revocable": revocable_by(visit)}


async def _of_form(visit: Visit, _form: FormState, _it: Json) -> Json:
    return {"roles": roles_of(grantable_by(visit, set(ROLES) if visit.org_id else set(Role)))}


def _new(form: Form) -> Json:
    names = ("principal", "role", "organization_id", "agent_id")
    body: dict[str, Any] = {name: form.text(name) for name in names if form.maybe(name)}
    added = [name for name in _ADDED if form.maybe(name)]
    body |= {"permissions": added} if added else {}
    ends = form.maybe("expires_at")
    return body | ({"expires_at": lists.bound_of(ends, form.prefs.zone)} if ends else {})


def _facts(key: Json) -> tuple[tuple[str, str], ...]:
    used = moment(key["last_used_at"])
    return (
        (_("Key"), key["id"]),
        (_("Principal"), key["principal"]),
        (_("Role"), role_named(key["role"])),
        (_("Created"), str(moment(key["created_at"]))),
        (_("Last used"), str(used) if used else _("Never")),
    )


KEYS, OF_ALL = (
    Noun(
        "/api-keys",
        title=N_("API keys"),
        folder="key",
        at=at,
        name="principal",
        change=Permission.MANAGE_KEYS,
        site=site,
        in_list=True,
    )
    for site, at in ((tenant, "/settings/keys"), (platform, "/keys"))
)


def _then_issued(noun: Noun) -> Done:
    """Return what offers, after a key was revoked, to revoke the keys that it issued."""

    async def done(visit: Visit, _form: Form, answer: Answer) -> Response:
        if not answer.body["issued"]:
            return visit.done(noun.listed(visit), "key.revoked", answer)
        page = Confirmation(
            title=_("Also revoke the keys that it created?"),
            back=noun.listed(visit),
            action=address(visit.request.url.path, [*visit.chosen("q").items(), ("with_issued", "true")]),
            label=_("Revoke keys"),
            form=blank(),
            facts=tuple(
                (each["principal"], f"{role_named(each['role'])}, {each['id']}") for each in answer.body["issued"]
            ),
            effect=(
                _("The key is revoked. Its holder may know the secrets of the keys that it created."),
                _("These keys stop working at once. This cannot be undone."),
            ),
        )
        return await visit.render("parts/confirmation.html", page)

    return done


for _noun, _roles, _more in (
    (KEYS, set(ROLES), ()),
    (OF_ALL, set(Role), (pick("organization_id", N_("Organization")),)),
):
    _sources: dict[str, tuple[str, dict[str, str]]] = {"agent_id": ("agents", {})}
    _sources |= {"organization_id": ("organizations", {})} if _more else {}
    _noun.list(
        search(N_("Principal")),
        select("role", N_("Role"), role_filter(_roles)),
        tab("active"),
        *_more,
        days=True,
        tabs=(("", N_("All")), ("true", N_("Active"))),
        values=_of_keys,
        around=tabs if _noun is KEYS else None,
    )
    _noun.form(
        "new",
        "",
        *("principal", "role", *_sources, *_ADDED, "expires_at"),
        title=N_("Create key"),
        lead=N_("The secret is shown once, on the next page. It cannot be shown again."),
        label=N_("Create key"),
        body=_new,
        sources=_sources,
        values=_of_form,
        begins=beginning(role="member"),
        names={"permissions": "read_billing"},
        done=_noun.once("made", lambda it: _("Key created") if it["secret"] else _("Key already created")),
    )
    _noun.question(
        "revoke",
        "",
        title=N_("Revoke this key?"),
        label=N_("Revoke key"),
        effect=(
            N_("The key and the sessions opened with it stop working at once."),
            N_("This cannot be undone. Create a new key to restore access."),
        ),
        facts=_facts,
        method="DELETE",
        path="",
        query=lambda visit: visit.chosen("with_issued"),
        done=_then_issued(_noun),
    )
ROUTES = (*KEYS.routes, *OF_ALL.routes)
