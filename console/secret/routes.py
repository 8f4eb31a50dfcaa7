"""Secrets: listed, stored, opened once, destroyed and rotated, and granted to people and agents."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import Form, FormRefused, FormState, again, blank, corrected, read_form, with_summary
from console.gateway import Answer, Refused, Wanted
from console.problems import Reaction, reaction_to
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.secret import view
from console.visit import ShowAgain, Visit
from domain.common.access import Permission
from domain.common.errors import Invalid
from domain.secrets.grant import matches
from domain.secrets.secret import check_path
from domain.secrets.secret_use.placing import PLACES

_GRANTS = "/secrets/grants"
#: The most that the API lists at once.
_MOST = 200
_VALUE = "value"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/secrets"


def _here(visit: Visit) -> str:
    return f"{_listed(visit)}/{visit.path('id')}"


def _path(visit: Visit) -> str:
    """Return the path that the address names; raises `Refused` where it is none, such as that of an operation."""
    try:
        return check_path(view.path_of(visit.path("id")))
    except Invalid:
        raise Refused(not_found(visit.request)) from None


def _own(visit: Visit) -> str:
    return f"/secrets/{_path(visit)}"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, "/secrets", "q", days=False)
    # Keys of the platform see that there are secrets, and no more.
    opens = not visit.me.is_platform
    page = view.page(
        found, visit.choices.prefs, _listed(visit), manages=visit.may(Permission.MANAGE_SECRETS) and opens, opens=opens
    )
    return await visit.render("secret/list.html", page, found.status)


async def show_grants(visit: Visit) -> Response:
    found = await lists.find(visit, _GRANTS, "agent_id", days=False)
    page = view.grants(
        found,
        await visit.naming(found.rows, "agent_id"),
        _listed(visit),
        datetime.now(UTC),
        manages=_manages(visit),
    )
    return await visit.render("secret/grants.html", page, found.status)


def _manages(visit: Visit) -> bool:
    return visit.may(Permission.MANAGE_SECRETS) and not visit.me.is_platform


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show one secret: its versions, the grants that name it, and who asked for it."""
    path = _path(visit)
    audits = visit.may(Permission.READ_AUDIT)
    wanted: dict[str, Wanted] = {"secret": (_own(visit), {}), "grants": (_GRANTS, {"limit": _MOST})}
    if audits:
        wanted["access"] = (f"{_own(visit)}/access", {"limit": lists.ROWS, **visit.chosen("cursor")})
    answers = await visit.ask_all(**wanted)
    secret = visit.owned(answers["secret"].need())
    granted = await lists.whole(visit, _GRANTS, answers["grants"])
    named = [each for each in granted.body["data"] if matches(path, each["paths"])] if granted.ok else []
    entries = answers["access"].body["data"] if audits and answers["access"].ok else []
    page = view.one(
        secret,
        view.Around(grants=granted, named=named, access=answers.get("access")),
        form or blank(),
        await visit.naming([*named, *entries], "agent_id"),
        _listed(visit),
        datetime.now(UTC),
        manages=_manages(visit),
    )
    return await visit.render("secret/page.html", page, status)


async def ask_to_store(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    page = view.store(form or blank(path="api_keys/", kind="api_key"), _listed(visit))
    return await visit.render("secret/store.html", page, status)


async def store(visit: Visit) -> Response:
    """Store a secret at a path where there is none, or a new value of the one there."""
    form = await read_form(visit.request, "path", "kind", _VALUE, "hosts")
    body = {"kind": form.text("kind"), _VALUE: form.values.get(_VALUE, ""), "hosts": view.words(form.text("hosts"))}
    try:
        path = check_path(form.text("path"))
    except Invalid as wrong:
        kept = Form(values={**form.values, _VALUE: ""}, key=form.key, prefs=form.prefs)
        return await ask_to_store(visit, corrected(kept, {"path": wrong.detail}), 422)
    return await _stored(visit, form, path, body, "secret.stored", ask_to_store)


async def ask_to_replace(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    page = view.replace(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("secret/store.html", page, status)


async def replace(visit: Visit) -> Response:
    form = await read_form(visit.request, _VALUE, "grace")
    found = await _found(visit)
    body = {"kind": found["kind"], _VALUE: form.values.get(_VALUE, "")}
    if form.maybe("grace"):
        body["grace"] = view.grace(form.text("grace"))
    return await _stored(visit, form, found["path"], body, "secret.replaced", ask_to_replace)


async def _stored(
    visit: Visit, form: Form, path: str, body: dict[str, Any], notice: str, show_form: ShowAgain
) -> Response:
    answer = await visit.command("PUT", f"/secrets/{path}", body, form.key)
    return await _without_value(visit, form, answer, f"{_listed(visit)}/{view.name_of(path)}", notice, show_form)


async def _without_value(
    visit: Visit, form: Form, answer: Answer, path: str, notice: str, show_form: ShowAgain
) -> Response:
    # Whatever comes of it, the value is on no page.
    form = Form(values={**form.values, _VALUE: ""}, key=form.key, prefs=form.prefs)
    problem = answer.problem
    if problem is not None and reaction_to(problem) is Reaction.UNKNOWN:
        shown = again(form, answer, same_key=True)
        return await show_form(visit, with_summary(shown, view.NOT_KNOWN), 503)
    return await visit.concluded(form, answer, path, notice, show=show_form)


async def _found(visit: Visit) -> Any:
    return visit.owned((await visit.ask(_own(visit))).need())


async def ask_to_open(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    page = view.opening(await _found(visit), form or blank(), _listed(visit))
    return await visit.render("secret/open.html", page, status)


async def open_it(visit: Visit) -> Response:
    """Show a value; it is on the page that answers, and nowhere else."""
    form = await read_form(visit.request, "purpose", "version")
    body: dict[str, Any] = {"purpose": form.text("purpose")}
    if form.maybe("version"):
        body["version"] = view.number(form.text("version"))
    answer = await visit.command("POST", f"{_own(visit)}/open", body, form.key)
    if answer.ok:
        return await visit.render("secret/opened.html", view.opened(answer.body, _listed(visit)), secret=True)
    problem = answer.problem
    if problem is not None and problem.code.startswith("secret.") and answer.status == 403:
        return await ask_to_open(visit, with_summary(again(form, answer), problem.detail), 403)
    return await visit.refused(form, answer, ask_to_open)


async def ask_to_destroy(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    page = view.destroying(await _found(visit), _version(visit), form or blank(), _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def destroy(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_own(visit)}/versions/{_version(visit)}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "secret.destroyed", show=ask_to_destroy)


def _version(visit: Visit) -> int:
    number = view.number(visit.request.query_params.get("number", ""))
    if not isinstance(number, int):
        raise FormRefused("The address names no version.")
    return number


async def _rotating(visit: Visit) -> Any:
    """Return the secret, which must have a rotation, for a reader who manages secrets."""
    visit.need(Permission.MANAGE_SECRETS)
    found = await _found(visit)
    if found["rotation"] is None:
        raise Refused(not_found(visit.request))
    return found


async def ask_to_rotate(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await _rotating(visit)
    return await visit.render("secret/rotate.html", view.rotating(found, form or blank(), _listed(visit)), status)


async def rotate(visit: Visit) -> Response:
    form = await read_form(visit.request, _VALUE, "grace")
    body = {_VALUE: form.values[_VALUE]} if _VALUE in form.values else {}
    if form.maybe("grace"):
        body["grace"] = view.grace(form.text("grace"))
    answer = await visit.command("POST", f"{_own(visit)}/rotate", body, form.key)
    return await _without_value(visit, form, answer, _here(visit), "secret.rotated", ask_to_rotate)


async def ask_to_stop(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await _rotating(visit)
    return await visit.render("parts/confirmation.html", view.stopping(found, form or blank(), _listed(visit)), status)


async def stop(visit: Visit) -> Response:
    form = await read_form(visit.request)
    body = {"give_up": visit.request.query_params.get("give_up") == "true"}
    answer = await visit.command("POST", f"{_own(visit)}/rotate/stop", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "secret.rotation_stopped", show=ask_to_stop)


async def ask_to_grant(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    shown = form or FormState(
        key=blank().key,
        values={"paths": "", "places": ", ".join(PLACES), **visit.chosen("paths")},
        lists={"verbs": ("use",), "methods": ("POST",)},
    )
    agents = await lists.choice(visit, "agents", shown.value("agent_id"), organization_id=visit.org_id)
    page = view.granting(shown, agents, _listed(visit))
    return await visit.render("secret/grant.html", page, status)


async def grant(visit: Visit) -> Response:
    fields = ("agent_id", "principal", "paths", "hosts", "places", "uses_per_day", "price", "meter", "ends_at")
    form = await read_form(visit.request, *fields, many=("verbs", "methods"))
    body: dict[str, Any] = {
        "paths": view.words(form.text("paths")),
        "verbs": list(form.all("verbs")),
        "hosts": view.words(form.text("hosts")),
        "methods": list(form.all("methods")),
        "ends_at": lists.bound_of(form.text("ends_at"), visit.choices.zone or "UTC"),
    }
    body |= {name: form.text(name) for name in ("agent_id", "principal", "meter") if form.maybe(name)}
    if form.maybe("places"):
        body["places"] = view.apart(form.text("places"))
    if form.maybe("uses_per_day"):
        body["uses_per_day"] = view.number(form.text("uses_per_day"))
    if form.maybe("price"):
        body["price"] = {"amount": form.number("price")}
    answer = await visit.command("POST", _GRANTS, body, form.key)
    names = {"price.amount": "price", "path": "paths"}
    return await visit.concluded(
        form, answer, f"{_listed(visit)}/grants", "secret.granted", show=ask_to_grant, names=names
    )


async def ask_to_revoke(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_SECRETS)
    found = await lists.row_of(visit, _GRANTS)
    naming = await visit.naming([found], "agent_id")
    page = view.revoking(found, form or blank(), naming, _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def revoke(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_GRANTS}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, f"{_listed(visit)}/grants", "secret.revoked", show=ask_to_revoke)


ROUTES = (
    tenant("/secrets", show),
    tenant("/secrets.csv", lists.file("/secrets", "secrets", "q", days=False)),
    tenant("/secrets/new", ask_to_store),
    tenant("/secrets/new", store, COMMAND),
    tenant("/secrets/grants", show_grants),
    tenant("/secrets/grants.csv", lists.file(_GRANTS, "secret-grants", "agent_id", days=False)),
    tenant("/secrets/grants/new", ask_to_grant),
    tenant("/secrets/grants/new", grant, COMMAND),
    tenant("/secrets/grants/{id}/revoke", ask_to_revoke),
    tenant("/secrets/grants/{id}/revoke", revoke, COMMAND),
    tenant("/secrets/{id}", show_one),
    tenant("/secrets/{id}/replace", ask_to_replace),
    tenant("/secrets/{id}/replace", replace, COMMAND),
    tenant("/secrets/{id}/open", ask_to_open),
    tenant("/secrets/{id}/open", open_it, COMMAND),
    tenant("/secrets/{id}/rotate", ask_to_rotate),
    tenant("/secrets/{id}/rotate", rotate, COMMAND),
    tenant("/secrets/{id}/stop", ask_to_stop),
    tenant("/secrets/{id}/stop", stop, COMMAND),
    tenant("/secrets/{id}/destroy", ask_to_destroy),
    tenant("/secrets/{id}/destroy", destroy, COMMAND),
)
