"""Secrets: listed, stored, opened once, destroyed and rotated, and granted to people and agents."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import (
    Form,
    FormRefused,
    FormState,
    blank,
    corrected,
    new_key,
    period,
    read_form,
)
from console.gateway import Answer, Refused, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, pick, search
from console.problems import answered
from console.refusals import not_found
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab, address
from domain.common.access import Permission
from domain.common.errors import Invalid
from domain.secrets.grant import HttpMethod, matches
from domain.secrets.secret import check_path
from domain.secrets.secret_use.placing import PLACES

_VALUE = "value"
_LEAD = N_("The value is encrypted when it is stored, and not shown again here.")


class _Secrets(Noun):
    """Secrets are addressed by their paths, with `~`, which stands in no path, for `/`."""

    def here(self, visit: Visit, id: str = "") -> str:
        return super().here(visit, id.replace("/", "~"))

    def own(self, visit: Visit) -> str:
        return f"{self.path}/{_path(visit)}"


SECRETS = _Secrets(
    "/secrets", title=N_("Secrets"), folder="secret", name="path", key="path", change=Permission.MANAGE_SECRETS
)
GRANTS = Noun(
    "/secrets/grants",
    title=N_("Access grants"),
    folder="secret/grant",
    name="id",
    above=((N_("Secrets"), "/secrets"),),
    change=Permission.MANAGE_SECRETS,
    in_list=True,
)


def _path(visit: Visit) -> str:
    """Return the path in the address; raises `Refused` where it is none, such as that of an operation."""
    try:
        return check_path(visit.path("id").replace("~", "/"))
    except Invalid:
        raise Refused(not_found(visit.request)) from None


def _tabs(visit: Visit) -> tuple[Tab, ...]:
    here = visit.request.url.path
    return tuple(
        Tab(label=gettext(noun.title), href=noun.listed(visit), current=noun.listed(visit) == here)
        for noun in (SECRETS, GRANTS)
    )


async def _of_secrets(visit: Visit, _found: ListResult) -> Json:
    # Keys of the platform read the list alone.
    return {"opens": not visit.me.is_platform}


async def _of_grants(visit: Visit, found: ListResult) -> Json:
    return {"naming": await visit.naming(found.rows, "agent_id")}


def _around(visit: Visit) -> Mapping[str, Wanted]:
    wanted: dict[str, Wanted] = {"grants": (GRANTS.path, {"limit": 200})}
    if visit.may(Permission.READ_AUDIT):
        wanted["access"] = (f"{SECRETS.own(visit)}/access", {"limit": lists.ROWS, **visit.chosen("cursor")})
    return wanted


async def _of_secret(visit: Visit, secret: Json, answers: Mapping[str, Answer]) -> Json:
    """Return the grants that name a secret, and a page of its access log if that may be read."""
    grants, access = await lists.whole(visit, GRANTS.path, answers["grants"]), answers.get("access")
    named = [row for row in grants.body["data"] if matches(secret["path"], row["paths"])] if answered(grants) else []
    log = access.body if access is not None and answered(access) else {"data": [], "next_cursor": None}
    cursor = log["next_cursor"]
    return {
        "grants": grants,
        "named": named,
        "access": access,
        "entries": log["data"],
        "older": address(SECRETS.here(visit), [("cursor", cursor)]) if cursor else "",
        "naming": await visit.naming([*named, *log["data"]], "agent_id"),
        "stops": stops,
    }


def stops(rotation: Json) -> str:
    """Return `stop` while a value is on its way, `give_up` where a step has failed, and nothing otherwise."""
    if rotation["status"] in {"created", "applied", "tested"}:
        return "" if rotation["rotator"] == "manual" else "stop"
    return "give_up" if rotation["failures"] and rotation["status"] in {"failed", "promoted"} else ""


async def ask_to_store(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    page = FormPage(
        title=_("Create secret"),
        crumbs=SECRETS.crumbs(visit),
        action=f"{SECRETS.listed(visit)}/new",
        form=form or blank(path="api_keys/", kind="api_key"),
        label=_("Create secret"),
        lead=gettext(_LEAD),
    )
    return await visit.show("secret/new.html", page, {}, status)


async def store(visit: Visit) -> Response:
    """Store a secret at a path where there is none, or a new value of the one there."""
    form = await read_form(visit.request, "path", "kind", _VALUE, "hosts")
    body = {"kind": form.text("kind"), _VALUE: form.values.get(_VALUE, ""), "hosts": form.words("hosts")}
    try:
        path = check_path(form.text("path"))
    except Invalid as wrong:
        kept = replace(form, values={**form.values, _VALUE: ""})
        return await ask_to_store(visit, corrected(kept, {"path": wrong.detail}), 422)
    answer = await visit.command("PUT", f"{SECRETS.path}/{path}", body, form.key)
    after = SECRETS.here(visit, path)
    return await visit.concluded(form, answer, after, "secret.stored", show=ask_to_store, hidden=_VALUE)


def _grace(form: Form) -> dict[str, str]:
    """Return how long the previous value stays usable, as the API takes it."""
    return {"grace": period(form.text("grace"))} if form.maybe("grace") else {}


def _value(form: Form) -> Json:
    return {name: form.values[name] for name in ("kind", _VALUE) if name in form.values} | _grace(form)


async def _of_rotation(visit: Visit, _form: FormState, secret: Json) -> Json:
    if secret["rotation"] is None:
        raise Refused(not_found(visit.request))
    return {"by_hand": secret["rotation"]["rotator"] == "manual"}


def _opening(form: Form) -> Json:
    body: dict[str, Any] = {"purpose": form.text("purpose")}
    return body | ({"version": form.maybe_whole("version")} if form.maybe("version") else {})


def _version(visit: Visit) -> str:
    number = visit.chosen("number").get("number", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise FormRefused(_("The address names no version."))
    return number


async def _of_destruction(visit: Visit, secret: Json) -> Json:
    number = int(_version(visit))
    effect = [_("The value and its key are deleted permanently. This cannot be undone.")]
    if secret["current_version"] == number:
        effect.insert(0, _("This is the version in use: nobody can use the secret until a new value is stored."))
    statuses = {version["number"]: version["status"] for version in secret["versions"]}
    if (secret["rotation"] or {}).get("status") == "promoted" and statuses.get(number) == "previous":
        effect.insert(0, _("The last rotation replaced it. It is revoked at its target first."))
    return {
        "title": _("Destroy version %(number)s?", number=number),
        "facts": ((_("Secret"), secret["path"]), (_("Version"), str(number))),
        "effect": tuple(effect),
    }


async def _of_stop(visit: Visit, secret: Json) -> Json:
    here, facts = f"{SECRETS.here(visit)}/stop", ((_("Secret"), secret["path"]),)
    if secret["rotation"] is None:
        raise Refused(not_found(visit.request))
    if stops(secret["rotation"]) != "give_up":
        effect = _("The target is reset to the value in use. Then the new value is destroyed.")
        return {"title": _("Stop the rotation?"), "action": here, "facts": facts, "effect": (effect,)}
    return {
        "title": _("End the rotation without the target?"),
        "action": f"{here}?give_up=true",
        "label": _("End rotation"),
        "facts": facts,
        "effect": (
            _("Nothing more is sent to the target. First make sure that the value in use works there."),
            _("The other value is destroyed. This cannot be undone."),
        ),
    }


async def _new_grant(visit: Visit) -> FormState:
    values = {"paths": "", "places": ", ".join(PLACES), **visit.chosen("paths")}
    return FormState(key=new_key(), values=values, lists={"verbs": ("use",), "methods": ("POST",)})


def _grant(form: Form) -> Json:
    body: dict[str, Any] = {
        "paths": form.words("paths"),
        "verbs": list(form.all("verbs")),
        "hosts": form.words("hosts"),
        "methods": list(form.all("methods")),
        "ends_at": lists.bound_of(form.text("ends_at"), form.prefs.zone),
    }
    body |= {name: form.text(name) for name in ("agent_id", "principal", "meter") if form.maybe(name)}
    places = [each.strip() for each in form.text("places").split(",") if each.strip()]
    body |= {"places": list(dict.fromkeys(places))} if places else {}
    body |= {"uses_per_day": form.maybe_whole("uses_per_day")} if form.maybe("uses_per_day") else {}
    return body | ({"price": {"amount": form.number("price")}} if form.maybe("price") else {})


async def _of_grant(_visit: Visit, _form: FormState, _it: Json) -> Json:
    return {"methods": tuple((each.value, each.value, "") for each in HttpMethod)}


async def _of_revocation(visit: Visit, grant: Json) -> Json:
    names = (await visit.naming([grant], "agent_id")).names
    who = names.get(grant["agent_id"] or "", "") or grant["principal"] or grant["agent_id"]
    return {"facts": ((_("For"), who), (_("Secrets"), ", ".join(grant["paths"])))}


SECRETS.list(search(N_("Path")), values=_of_secrets, around=_tabs)
SECRETS.page(values=_of_secret, extra=_around)
SECRETS.add("/secrets/new", ask_to_store)
SECRETS.add("/secrets/new", store, *COMMAND)
SECRETS.form(
    "open",
    "",
    *("purpose", "version"),
    title=N_("Show %(path)s?"),
    lead=N_("The value is shown once, on the next page. The access log records that you read it, and why."),
    label=N_("Show value"),
    initial=lambda _it: {},
    body=_opening,
    path="/open",
    done=SECRETS.once("opened", lambda it: str(it["path"])),
    needs=Permission.READ,
)
SECRETS.form(
    "replace",
    "secret.replaced",
    *("kind", _VALUE, "grace"),
    title=N_("New value"),
    lead=_LEAD,
    label=N_("Save value"),
    initial=lambda it: {"kind": it["kind"]},
    body=_value,
    method="PUT",
    hidden=_VALUE,
)
SECRETS.form(
    "rotate",
    "secret.rotated",
    *(_VALUE, "grace"),
    title=N_("Replace %(path)s now?"),
    label=N_("Replace value"),
    initial=lambda _it: {},
    body=_value,
    values=_of_rotation,
    path="/rotate",
    hidden=_VALUE,
)
SECRETS.question(
    "destroy",
    "secret.destroyed",
    label=N_("Destroy version"),
    values=_of_destruction,
    method="DELETE",
    path=lambda visit: f"/versions/{_version(visit)}",
)
SECRETS.question(
    "stop",
    "secret.rotation_stopped",
    label=N_("Stop rotation"),
    values=_of_stop,
    path="/rotate/stop",
    body=lambda visit: {"give_up": visit.request.query_params.get("give_up") == "true"},
)
GRANTS.list(pick("agent_id", N_("Agent")), values=_of_grants, around=_tabs)
GRANTS.form(
    "new",
    "secret.granted",
    *("agent_id", "principal", "paths", "hosts", "places", "uses_per_day", "price", "meter", "ends_at"),
    many=("verbs", "methods"),
    title=N_("Create grant"),
    lead=N_("A grant cannot be changed. Revoke it and create another one."),
    label=N_("Create grant"),
    body=_grant,
    sources={"agent_id": ("agents", {})},
    values=_of_grant,
    begins=_new_grant,
    names={"price.amount": "price", "path": "paths"},
)
GRANTS.question(
    "revoke",
    "secret.revoked",
    title=N_("Revoke this grant?"),
    label=N_("Revoke grant"),
    effect=(N_("The grant stops working now. Past uses stay in the log."),),
    values=_of_revocation,
    method="DELETE",
)
ROUTES = (*SECRETS.routes, *GRANTS.routes)
