"""The platform's books: trial balance, profit and loss, and the journal as a file."""

from starlette.responses import Response

from console.forms import FormState, at_fields
from console.platform.book import view
from console.platform.book.view import FILTERS, FORMATS
from console.platform.desk import shown_to
from console.problems import Reaction, reaction_to
from console.visit import Visit
from domain.common.access import Permission

_ENDINGS = {"beancount": "beancount"}


async def show(visit: Visit) -> Response:
    given = visit.chosen(*FILTERS)
    answers = await visit.ask_all(
        trial=("/accounting/trial-balance", given), profit=("/accounting/profit-and-loss", given)
    )
    status, form = 200, FormState(key="", values=given)
    problems = [each.problem for each in answers.values() if each.problem is not None]
    refused = next((each for each in problems if reaction_to(each) is Reaction.FIELDS), None)
    if refused is not None:
        errors, summary = at_fields(refused, FILTERS, {})
        status, form = 422, FormState(key="", values=given, errors=errors, summary=summary)
    page = view.page(given, form, answers["trial"], answers["profit"], visit.choices.prefs)
    return await visit.render("platform/book/page.html", page, status)


async def download(visit: Visit) -> Response:
    given = visit.chosen(*FILTERS, "format")
    kind = given.get("format", "csv")
    days = [given[name] for name in ("start_date", "end_date") if name in given]
    known = kind if kind in FORMATS else "csv"
    name = f"{'-'.join(['platform-journal', *days, known])}.{_ENDINGS.get(known, 'csv')}"
    return visit.stream("/accounting/journal", {**given, "format": kind}, accept="text/csv, text/plain", name=name)


ROUTES = (
    shown_to(Permission.READ_BOOKS, "/books", show),
    shown_to(Permission.READ_BOOKS, "/books/journal.csv", download),
)
