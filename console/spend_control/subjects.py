"""Subjects of limits, budgets and payment policies: how they are called, and how a form chooses one by its name."""

from collections.abc import Iterable, Mapping

from console.format import short_id
from console.forms import FormState
from console.noun import Json
from console.texts import N_, _, gettext
from console.widgets import Tab

KINDS = {
    "organization": N_("Organization"),
    "department": N_("Department"),
    "project": N_("Project"),
    "agent": N_("Agent"),
    "run": N_("Run"),
    "key": N_("Key"),
}
_CALLED = {
    "department": N_("Department %(name)s"),
    "project": N_("Project %(name)s"),
    "agent": N_("Agent %(name)s"),
    "run": N_("Run %(name)s"),
    "key": N_("Key %(name)s"),
}
_LISTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "department": ("departments", {"open": "true"}),
    "project": ("projects", {}),
    "agent": ("agents", {}),
    "key": ("api-keys", {"active": "true"}),
}


def called(subject: Json) -> str:
    """Return the kind and the name of a subject; runs and keys, which have no name, by their ids."""
    kind, id = subject["type"], subject["id"]
    if kind == "organization":
        return _("The whole organization")
    return gettext(_CALLED[kind]) % {"name": subject["name"] or (id if kind == "run" else short_id(id))}


def sources(typed: Mapping[str, str]) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Return the list that the subject is chosen from; runs are typed."""
    kind = typed.get("subject", "")
    return {"subject_id": _LISTS[kind]} if kind in _LISTS else {}


def tabs(address: str, form: FormState, kinds: Iterable[str] = KINDS) -> tuple[Tab, ...]:
    """Return the kinds of subjects, each of which leads to the form with a choice of these."""
    chosen = form.value("subject")
    return tuple(
        Tab(label=gettext(KINDS[each]), href=f"{address}?subject={each}", current=each == chosen) for each in kinds
    )
