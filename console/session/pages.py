"""Sessions of an organization, and the links that open them: listed, created, ended."""

from starlette.responses import RedirectResponse, Response

from console.filters import moment
from console.forms import Form, FormState, blank
from console.gateway import Answer, Refused
from console.key.pages import ROLES, grantable_by, revocable_by, roles_of
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import search
from console.refusals import forbidden
from console.settings.pages import tabs
from console.texts import N_, _
from console.visit import Visit
from console.who import actor_named, role_named
from domain.common.access import Permission, Role

SESSIONS = Noun(
    "/sessions", title=N_("Sessions"), folder="session", at="/settings/sessions", name="principal", in_list=True
)
LINKS = Noun(
    "/sessions/links",
    title=N_("Links"),
    folder="session/link",
    at="/settings/links",
    name="principal",
    change=Permission.MANAGE_KEYS,
    in_list=True,
)


async def _of_list(visit: Visit, _found: ListResult) -> Json:
    return {"endable": revocable_by(visit), "own": visit.me.principal}


async def _of_links(visit: Visit, _found: ListResult) -> Json:
    return {"endable": revocable_by(visit)}


async def _of_end(visit: Visit, session: Json) -> Json:
    """Return what is ended; raises `Refused` for another's whose keys the reader may not revoke, as the API would."""
    if session["principal"] != visit.me.principal and session["role"] not in revocable_by(visit):
        raise Refused(forbidden(visit.request))
    facts = (
        (_("Principal"), session["principal"]),
        (_("Role"), role_named(session["role"])),
        (_("Browser"), session["browser"]),
        (_("Address"), session["address"] or _("Unknown")),
        (_("Last used"), str(moment(session["last_used_at"]))),
    )
    effect = [_("Its browser is signed out at once. Its key stays valid.")]
    effect += [_("This is your current session: you are signed out.")] if session["current"] else []
    return {"facts": facts, "effect": tuple(effect)}


async def _ended(visit: Visit, _form: Form, answer: Answer) -> Response:
    """Lead on after a session was ended; ending one's own signs out."""
    if visit.path("id") == visit.me.session_id:
        return RedirectResponse("/console/sign-in?notice=session.signed_out", 303)
    return visit.done(SESSIONS.listed(visit), "session.closed", answer)


async def _of_end_of_link(visit: Visit, link: Json) -> Json:
    if link["role"] not in revocable_by(visit):
        raise Refused(forbidden(visit.request))
    return {
        "facts": (
            (_("For"), link["principal"]),
            (_("Role"), role_named(link["role"])),
            (_("Created by"), actor_named(link["made_by"])),
            (_("Expires"), str(moment(link["expires_at"]))),
        )
    }


async def _of_form(visit: Visit, _form: FormState, _it: Json) -> Json:
    return {"roles": roles_of(grantable_by(visit, set(ROLES) - {Role.AGENT}))}


SESSIONS.list(search(N_("Principal")), days=True, values=_of_list, around=tabs, create="")
SESSIONS.question(
    "end",
    "",
    title=N_("End this session?"),
    label=N_("End session"),
    values=_of_end,
    method="DELETE",
    done=_ended,
)


async def _new_link(visit: Visit) -> FormState:
    return blank(role="member", expires_in="PT15M", path=visit.base)


LINKS.list(search(N_("Principal")), days=True, values=_of_links, around=tabs)
LINKS.form(
    "new",
    "",
    *("principal", "role", "path", "return_url", "expires_in"),
    title=N_("Create link"),
    lead=N_(
        "The person who opens the link acts as this principal. Your name is recorded with all their actions.",
    ),
    label=N_("Create link"),
    values=_of_form,
    begins=_new_link,
    done=LINKS.once("made", lambda it: _("Link created") if it["url"] else _("Link already created")),
)
LINKS.question(
    "end",
    "link.ended",
    title=N_("Revoke this link?"),
    label=N_("Revoke link"),
    effect=(N_("The link stops working, and a session opened with it ends at once."),),
    values=_of_end_of_link,
    method="DELETE",
)
ROUTES = (*SESSIONS.routes, *LINKS.routes)
