"""The allow list and the block list: what is on them, and how entities are added and removed."""

from functools import partial
from typing import Any

from console import lists
from console.forms import Form, FormState
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import select
from console.platform.desk import risk_desk
from console.risk.words import WORDS, any_of, word
from console.texts import N_, gettext
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission

_TITLES = {"block": N_("Block list"), "allow": N_("Allow list")}
_LEADS = {
    "block": N_("All their actions are blocked until the end date, unless the allow list names them too."),
    "allow": N_("No rule stops their actions until the end date."),
}


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    name = found.asked.path.rpartition("/")[2]
    return {"word": word, "naming": await visit.naming(found.rows, "entity", "case_id"), "about": gettext(_LEADS[name])}


async def of_form(_visit: Visit, _form: FormState, _it: Json) -> dict[str, Any]:
    return {"kinds": tuple((value, gettext(words)) for value, words in WORDS["entity"].items())}


def around(of: str, visit: Visit) -> tuple[Tab, ...]:
    return tuple(
        Tab(label=gettext(title), href=f"{visit.base}/risk/lists/{name}", current=name == of)
        for name, title in _TITLES.items()
    )


def entry(form: Form) -> Json:
    """Return what is sent; the last day counts whole, in the reader's zone."""
    return {
        "entity": {"kind": form.text("kind"), "value": form.text("value")},
        "reason": form.text("reason"),
        "ends_at": lists.bound_of(form.text("ends_at"), form.prefs.zone),
    }


def _noun(name: str) -> Noun:
    noun = Noun(
        f"/risk/lists/{name}/items",
        at=f"/risk/lists/{name}",
        title=_TITLES[name],
        folder="risk/list_item",
        change=Permission.RISK_RULES,
        site=risk_desk,
    )
    noun.list(
        select("kind", N_("Kind"), any_of("entity")),
        select("active", N_("Status"), (("", N_("All")), ("true", N_("Active")))),
        days=True,
        values=of_list,
        around=partial(around, name),
    )
    noun.form(
        "new",
        "risk.listed",
        *("kind", "value", "reason", "ends_at"),
        title=N_("Add to the block list") if name == "block" else N_("Add to the allow list"),
        label=N_("Add"),
        lead=_LEADS[name],
        body=entry,
        values=of_form,
        names={"entity.kind": "kind", "entity.value": "value", "entity": "value"},
    )
    noun.command("remove", "risk.unlisted", method="DELETE", path="")
    return noun


ROUTES = [route for name in _TITLES for route in _noun(name).routes]
