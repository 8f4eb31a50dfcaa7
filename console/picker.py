"""Picks an object by its name: what stands in a field, and the id that it means.

A field holds the name of an object, `Summariser`, or the name with the id where several have it, `Summariser (agt_…)`.
An id alone is taken as well. `pick.js` suggests names as they are typed; without scripts the newest are suggested.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import JSONResponse, Response

from console.forms import Form
from console.gateway import Wanted
from console.routing import platform, tenant
from console.texts import _
from console.visit import Visit
from domain.common.ids import is_id

#: The lists of the API whose objects are picked, and the field that names them.
NAMES = {"agents": "name", "departments": "name", "projects": "name", "organizations": "name", "api-keys": "principal"}
#: What fields choose from: a noun and a query of its list, by the field.
Sources = Mapping[str, tuple[str, Mapping[str, str]]]
_WITH_ID = re.compile(r".*\(([a-z]{2,8}_[0-9a-z]{26})\)\s*", re.DOTALL)
_SUGGESTED = 20


def id_in(typed: str) -> str:
    """Return the id that a text is, or ends with in parentheses; empty if it is a name."""
    found = _WITH_ID.fullmatch(typed)
    id = found[1] if found else typed.strip()
    return id if is_id(id, id.rpartition("_")[0]) else ""


def labelled(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return pairs of an id and a text that means it alone: names that several have are followed by the id."""
    names = [name.casefold() for _id, name in pairs]
    return tuple((id, f"{name} ({id})" if id and names.count(name.casefold()) > 1 else name) for id, name in pairs)


async def resolve(visit: Visit, typed: Mapping[str, tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the ids that texts mean, and what is wrong with the others, both by field.

    Args:
        visit: of the request.
        typed: the noun and the text of each field; empty texts are left out.
    """
    ids = {name: id_in(text) for name, (_noun, text) in typed.items() if text}
    wanted: dict[str, Wanted] = {
        name: (f"/{typed[name][0]}", {"q": typed[name][1], "limit": 200, **_whose(visit, typed[name][0])})
        for name, id in ids.items()
        if not id
    }
    errors = {}
    for name, answer in (await visit.ask_all(**wanted)).items() if wanted else ():
        noun, text = typed[name]
        field = NAMES[noun]
        rows = [each for each in answer.need()["data"] if each[field].casefold() == text.casefold()]
        if len(rows) == 1:
            ids[name] = rows[0]["id"]
        elif rows:
            errors[name] = _("Several are called %(name)s. Choose one of the list.", name=text)
        else:
            errors[name] = _("Nothing is called %(name)s. Choose one of the list.", name=text)
    return {name: id for name, id in ids.items() if id}, errors


async def resolved(visit: Visit, form: Form, sources: Sources) -> tuple[Form, dict[str, str]]:
    """Return a form with ids for what was picked, and the errors of fields that mean no object.

    Args:
        visit: of the request.
        form: as it was sent.
        sources: of the fields that pick, such as `{"agent_id": ("agents", {})}`.
    """
    ids, errors = await resolve(visit, {name: (noun, form.text(name)) for name, (noun, _query) in sources.items()})
    return replace(form, values={**form.values, **ids}), errors


async def suggest(visit: Visit) -> Response:
    """Answer a script with the texts that a field suggests for what is typed."""
    noun, text = visit.path("noun"), visit.request.query_params.get("q", "").strip()
    if noun not in NAMES or not text:
        return JSONResponse([])
    answer = await visit.ask(f"/{noun}", q=text, limit=_SUGGESTED, **_whose(visit, noun))
    rows = answer.body["data"] if answer.ok else []
    return JSONResponse([label for _id, label in labelled(tuple((each["id"], each[NAMES[noun]]) for each in rows))])


def _whose(visit: Visit, noun: str) -> dict[str, str]:
    return {"organization_id": visit.org_id} if visit.org_id and noun != "organizations" else {}


ROUTES = (
    tenant("/pick/{noun}", suggest, is_background=True),
    platform("/pick/{noun}", suggest, is_background=True),
)
