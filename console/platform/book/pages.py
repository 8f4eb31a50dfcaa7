"""The platform's books: trial balance, profit and loss, and the journal as a file."""

from starlette.responses import Response

from console.forms import FormState, at_fields
from console.gateway import Answer
from console.noun_page import FormPage
from console.paying import currencies
from console.platform.desk import shown_to
from console.problems import Reaction, answered, reaction_to
from console.texts import _
from console.visit import Visit
from console.widgets import address
from domain.common.access import Permission

_FILTERS = ("start_date", "end_date", "currency")
_FORMATS = {"csv": "CSV", "beancount": "Beancount", "quickbooks": "QuickBooks", "xero": "Xero"}
_ENDINGS = {"beancount": "beancount"}


async def show(visit: Visit) -> Response:
    given = visit.chosen(*_FILTERS)
    answers = await visit.ask_all(
        trial=("/accounting/trial-balance", given),
        profit=("/accounting/profit-and-loss", given),
        config=("/billing/config", {}),
    )
    trial = answers["trial"]
    reports, form = [trial, answers["profit"]], FormState(key="", values=given)
    refused = next((each.problem for each in reports if _is_of_fields(each)), None)
    if refused is not None:
        errors, summary = at_fields(refused, _FILTERS, {})
        form = FormState(key="", values=given, errors=errors, summary=summary)
    else:
        for each in reports:
            answered(each)
    booked = [each["currency"] for each in trial.body["totals"]] if trial.ok else []
    place, query = f"{visit.base}/books", tuple(given.items())
    page = FormPage(title=_("Books"), action=place, form=form)
    files = {words: address(f"{place}/journal.csv", (*query, ("format", name))) for name, words in _FORMATS.items()}
    values = {
        "trial": trial,
        "profit": answers["profit"],
        "currencies": (("", _("All currencies")), *currencies(answers["config"], given.get("currency", ""), *booked)),
        "again": address(place, query),
        "files": files,
    }
    return await visit.show("platform/book/page.html", page, values, 422 if refused else 200)


def _is_of_fields(answer: Answer) -> bool:
    return answer.problem is not None and reaction_to(answer.problem) is Reaction.FIELDS


async def download(visit: Visit) -> Response:
    given = visit.chosen(*_FILTERS, "format")
    kind = given.get("format", "csv")
    days = [given[name] for name in ("start_date", "end_date") if name in given]
    known = kind if kind in _FORMATS else "csv"
    name = f"{'-'.join(['platform-journal', *days, known])}.{_ENDINGS.get(known, 'csv')}"
    return visit.stream("/accounting/journal", {**given, "format": kind}, accept="text/csv, text/plain", name=name)


ROUTES = (
    shown_to(Permission.READ_BOOKS, "/books", show),
    shown_to(Permission.READ_BOOKS, "/books/journal.csv", download),
)
