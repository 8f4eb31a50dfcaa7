"""The people of an organization: listed, invited by mail, revoked."""

from console.forms import FormState, blank
from console.key.pages import ROLES, grantable_by, revocable_by, role_filter, roles_of
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import search, select
from console.texts import N_, _
from console.visit import Visit
from console.who import role_named
from domain.common.access import Permission, Role

_ROLES = frozenset(ROLES) - {Role.AGENT}
PEOPLE, INVITATIONS = (
    Noun(
        path,
        title=N_("People"),
        folder="principal",
        at="/people",
        name="principal",
        key="principal",
        change=Permission.MANAGE_KEYS,
        in_list=True,
    )
    for path in ("/principals", "/invitations")
)


async def _of_people(visit: Visit, _found: ListResult) -> Json:
    own = "" if visit.me.is_platform else visit.me.principal
    return {"own": own, "grantable": grantable_by(visit), "revocable": revocable_by(visit)}


async def _of_form(visit: Visit, _form: FormState, _it: Json) -> Json:
    return {"roles": roles_of(grantable_by(visit, _ROLES))}


async def _of_revocation(_visit: Visit, person: Json) -> Json:
    page: Json = {
        "facts": (
            (_("Name"), person["principal"]),
            (_("Role"), role_named(person["role"])),
            (_("API keys"), str(person["keys"])),
            (_("Sessions"), str(person["sessions"])),
        )
    }
    if person["status"] != "invited":
        return page
    return {**page, "title": _("Revoke this invitation?"), "effect": (_("The link in the mail stops working."),)}


async def _invitation(visit: Visit) -> FormState:
    return blank(**{"role": "member", **visit.chosen("email", "role")})


PEOPLE.list(search(N_("Name")), select("role", N_("Role"), role_filter(_ROLES)), values=_of_people)
INVITATIONS.form(
    "new",
    "person.invited",
    *("email", "role"),
    title=N_("Invite person"),
    lead=N_("The person gets a link by mail. It is valid for seven days, once. Later sign-ins use this address."),
    label=N_("Send invitation"),
    values=_of_form,
    # Another mail has what the first one had.
    begins=_invitation,
)
PEOPLE.question(
    "revoke",
    "person.revoked",
    title=N_("Revoke %(principal)s?"),
    label=N_("Revoke"),
    effect=(
        N_("All of its keys, sessions and links end at once."),
        N_("Keys that it created for others remain. Revoke them under Keys."),
    ),
    values=_of_revocation,
    method="DELETE",
    query=lambda visit: visit.scope,
)
ROUTES = (*PEOPLE.routes, *INVITATIONS.routes)
