"""The values that stand around a noun's rows, object or form: pages, filters of lists, tabs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from console import lists
from console.filters import statuses
from console.format import Prefs
from console.forms import FormState, blank
from console.lists import Choice, ListResult, ListView
from console.texts import _, gettext
from console.visit import Visit
from console.widgets import Link, Page, Tab

#: Values of a filter that chooses between lists, with their words.
Tabs = tuple[tuple[str, str], ...]
Options = lists.Options | str | Callable[[Visit], lists.Options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter of a list, called as the API calls it.

    Attributes:
        kind: `text`, `search`, `date`, `amount`, `select`, `pick` (by name, of objects of the API), `link`, which
            links of the page set, or `tab`, which chooses between lists. The last two have no field.
        label: stands over the field, and in the chip.
        options: pairs of a value and its words, a noun of `status.STATUSES`, or a function that returns pairs.
        example: a placeholder.
    """

    name: str
    kind: str = "text"
    label: str = ""
    options: Options = ()
    example: str = ""

    @property
    def choices(self) -> lists.Options:
        """The options in the reader's language."""
        if isinstance(self.options, str):
            return statuses(self.options)
        assert not callable(self.options)
        return tuple((value, gettext(words)) for value, words in self.options)


def text(name: str, label: str, example: str = "") -> Filter:
    return Filter(name=name, label=label, example=example)


def search(label: str, name: str = "q") -> Filter:
    return Filter(name=name, kind="search", label=label)


def select(name: str, label: str, options: Options) -> Filter:
    """A choice between words: pairs that begin with `("", "Any")`, a function of them, or a noun of statuses."""
    return Filter(name=name, kind="select", label=label, options=options)


def pick(name: str, label: str) -> Filter:
    return Filter(name=name, kind="pick", label=label)


def amount(name: str, label: str) -> Filter:
    return Filter(name=name, kind="amount", label=label)


def tab(name: str) -> Filter:
    return Filter(name=name, kind="tab")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Page):
    """Everything around the rows of a list.

    Attributes:
        listed: query, chips and pager.
        filters: in the order of their fields.
        parts: tabs that lead to other pages.
        across: whether the rows are of all organizations.
        create: the address of the form that creates an object; empty where the reader may not.
        form: of a command of a row that was refused.
    """

    listed: ListView
    form: FormState = field(default_factory=blank)
    filters: tuple[Filter, ...] = ()
    parts: tuple[Tab, ...] = ()
    tabs: tuple[Tab, ...] = ()
    across: bool = False
    create: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPage(Page):
    """Everything around one object: its address is `here`; `form` is that of its commands, which are buttons."""

    here: str
    form: FormState
    listed: ListView | None = None
    tabs: tuple[Tab, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage(Page):
    """A form: where it is sent, the lead of its page, the label of its button, what its fields choose from.

    `version` is the ETag of what it changes; empty where it is not asked for.
    """

    action: str
    form: FormState
    label: str = ""
    lead: str = ""
    choices: Mapping[str, Choice] = field(default_factory=dict)
    draft: bool = True
    version: str = ""


def page_at(visit: Visit, at: str, title: str, *crumbs: tuple[str, str], form: FormState | None = None) -> ObjectPage:
    """Return a page that is no noun's: `at` is its address below the pages of the site, crumbs are labels and paths."""
    links = tuple(Link(label=gettext(label), href=visit.base + path) for label, path in crumbs)
    return ObjectPage(title=title, crumbs=links, here=visit.base + at, form=form or blank())


def shown_filters(visit: Visit, filters: tuple[Filter, ...], *, days: bool) -> tuple[Filter, ...]:
    """Return the filters that a reader has, with those by day: operators alone choose an organization."""
    whose = visit.me.is_platform and not visit.org_id
    kept = tuple(
        replace(each, options=each.options(visit)) if callable(each.options) else each
        for each in filters
        if whose or each.name != "organization_id"
    )
    dates = (Filter(name="from", kind="date", label=_("From")), Filter(name="to", kind="date", label=_("To")))
    return (*kept, *(dates if days else ()))


def tabs_of(found: ListResult, filters: tuple[Filter, ...], tabs: Tabs, prefs: Prefs) -> tuple[Tab, ...]:
    if not tabs:
        return ()
    name = next(each.name for each in filters if each.kind == "tab")
    chosen, summary = found.asked.given.get(name, ""), found.extra.get("summary")
    return tuple(
        Tab(
            label=gettext(label),
            href=found.asked.address(**{name: value}),
            count=lists.counted(summary, value.split(",") if value else (), prefs) if summary else "",
            current=value == chosen,
        )
        for value, label in tabs
    )
