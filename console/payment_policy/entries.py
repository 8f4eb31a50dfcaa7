"""Free options and methods, which stand next to the policies: short lists of entries that are known by their names."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from console.forms import Form
from console.noun import Json, Noun
from console.problems import answered
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Page, Tab
from domain.common.access import Permission

_POLICIES = "/payment-policies"
_TABS = (("", N_("Policies")), ("/free-options", N_("Free options")), ("/methods", N_("Methods")))


def tabs(visit: Visit) -> tuple[Tab, ...]:
    """Return the three lists."""
    base, here = f"{visit.base}{_POLICIES}", visit.request.url.path
    return tuple(
        Tab(label=gettext(label), href=base + part, current=here.endswith(_POLICIES + part)) for part, label in _TABS
    )


class Entries(Noun):
    """A list of entries; the API has them all in one answer, and replaces one of the same name."""

    def __init__(self, path: str, at: str, *, title: str, folder: str) -> None:
        """Declare a list; `at` is the last part of its address."""
        above = ((N_("Payment policies"), _POLICIES),)
        change = Permission.MANAGE_SPENDING
        at = f"{_POLICIES}/{at}"
        super().__init__(path, title=title, folder=folder, at=at, above=above, change=change, in_list=True)

    def declare(
        self,
        kind: str,
        *fields: str,
        create: str,
        lead: str,
        save: str,
        remove: tuple[str, str],
        effect: str,
        body: Callable[[Form], Json],
        typed: Callable[[Json], dict[str, str]],
        facts: tuple[tuple[str, str], ...],
        names: dict[str, str],
        values: dict[str, Any],
    ) -> None:
        """Add the list, the forms and the removal; the first of `facts` titles the form of an entry."""

        async def show(visit: Visit) -> Response:
            visit.need(Permission.READ_BILLING)
            answer = await visit.ask(self.path, **visit.scope)
            answered(answer)
            given = {"entries": answer, "here": self.listed(visit), "tabs": tabs(visit), **values}
            return await visit.show(f"{self.folder}/list.html", Page(title=_("Payment policies")), given)

        self.add(self.at, show)
        saved, sent = f"{kind}.saved", {"body": body, "names": names, "lead": lead, "method": "PUT", "to": self.path}
        self.form("new", saved, *fields, title=create, **sent)  # type: ignore[arg-type]
        title = f"%({facts[0][1]})s"
        self.form("change", saved, *fields, title=title, label=save, initial=typed, **sent)  # type: ignore[arg-type]
        self.question(
            "remove",
            f"{kind}.removed",
            title=remove[0],
            label=remove[1],
            effect=(effect,),
            facts=lambda it: tuple((gettext(label), it[name]) for label, name in facts),
            method="DELETE",
        )
