"""Exports of an organization, or of all of them: the list with its form, and one export with its files."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console import lists
from console.analytics.view import tabs
from console.filters import count
from console.forms import read_form
from console.gateway import Answer, Refused
from console.lists import ListResult
from console.noun import Json, Noun
from console.refusals import not_found
from console.routing import COMMAND, platform, tenant
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.insight.export import Dataset, permissions_of

_FORMATS = {"csv": "CSV", "jsonl": "JSON Lines"}
_DATASETS: Mapping[Dataset, str] = {
    Dataset.TRANSFERS: N_("Transfers"),
    Dataset.ENTRIES: N_("Entries of the ledger"),
    Dataset.USAGE: N_("Usage events"),
    Dataset.PAYMENTS: N_("Payments"),
    Dataset.ESCROWS: N_("Escrows"),
    Dataset.INVOICES: N_("Invoices"),
    Dataset.REPUTATION: N_("Reputation events"),
    Dataset.AUDIT: N_("Audit trail"),
    Dataset.EVENTS: N_("Events"),
    Dataset.PURCHASES: N_("Purchases of agents"),
}


def dataset_named(export: Json) -> str:
    return gettext(_DATASETS[Dataset(export["dataset"])])


EXPORTS = Noun(
    "/exports",
    title=N_("Exports"),
    folder="export",
    name=lambda it: _("Export: %(data)s", data=dataset_named(it)),
    site=(tenant, platform),
)


async def of_list(visit: Visit, _found: ListResult) -> dict[str, Any]:
    datasets = ((each, words) for each, words in _DATASETS.items() if all(map(visit.may, permissions_of(each))))
    return {
        "orders": not _is_of_others(visit),
        "datasets": tuple((str(each), gettext(words)) for each, words in datasets),
        "formats": tuple(_FORMATS.items()),
        "dataset_named": dataset_named,
        "format_named": _FORMATS.get,
    }


def _is_of_others(visit: Visit) -> bool:
    """Return whether an export ordered here were not of this organization: an operator's is of all of them."""
    return visit.me.is_platform and bool(visit.org_id)


async def order(visit: Visit) -> Response:
    if _is_of_others(visit):
        raise Refused(not_found(visit.request))
    form = await read_form(visit.request, "dataset", "format", "from", "to")
    zone = visit.choices.zone or "UTC"
    body = {"dataset": form.text("dataset"), "format": form.text("format")}
    for name in lists.DAYS:
        if form.maybe(name):
            body[name] = lists.bound_of(form.text(name), zone, following=name == "to")
    answer = await visit.command("POST", EXPORTS.path, body, form.key)
    here = EXPORTS.here(visit, answer.body["id"]) if answer.ok else ""
    return await visit.concluded(form, answer, here, "export.ordered", show=EXPORTS.show_list)


async def download(visit: Visit) -> Response:
    return visit.stream(f"{EXPORTS.own(visit)}/files/{visit.path('number')}", accept="*/*")


async def of_export(_visit: Visit, _it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {"format_named": _FORMATS.get, "size": size}


def size(bytes: int) -> str:
    """Write a size in whole units, rounded up."""
    for unit in (N_("%(size)s bytes"), "%(size)s KB", "%(size)s MB"):
        if bytes < 1000:
            return _(unit, size=count(bytes))
        bytes = -(-bytes // 1000)
    return f"{count(bytes)} GB"


EXPORTS.list(values=of_list, create="", around=lambda visit: tabs(visit.base, "/exports"))
EXPORTS.add("/exports", order, *COMMAND)
EXPORTS.page(values=of_export)
EXPORTS.add("/exports/{id}/files/{number}", download)
ROUTES = EXPORTS.routes
