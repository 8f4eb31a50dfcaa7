"""Every part in each of its states, on one page: what `gallery.html` prints."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console import charts, format, widgets
from console.app import ProblemPage
from console.assets import Assets
from console.filters import Templates, install
from console.inline import elements
from console.pages import labelled
from console.problems import WORDS, Reaction
from console.status import STATUSES, Status, Tone

HERE = Path(__file__).resolve().parent
CONSOLE = HERE.parents[1] / "console"
SCRIPTS = ("charts.js", "countdown.js")
#: Whose macros `rendered` has as `ui`.
PARTS = ("page", "table", "form", "state", "charts")
STYLES = ("tokens.css", "base.css", "parts.css")
AT = format.moment("2026-11-22T09:30:00Z")
CREDITS = charts.Unit("CREDIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """A form as `console.forms` shows it."""

    key: str
    values: dict[str, str]
    errors: dict[str, str]
    way_label: str = ""
    way_href: str = ""

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        return {}

    @property
    def summary(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.errors.items())

    def value(self, name: str, otherwise: str = "") -> str:
        return self.values.get(name, otherwise)

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """The view model of the gallery."""

    title: str
    amounts: tuple[format.Amount, ...]
    statuses: tuple[Status, ...]
    icons: tuple[tuple[str, tuple[str, ...]], ...]
    crumbs: tuple[widgets.Link, ...]
    link: widgets.Link
    tabs: tuple[widgets.Tab, ...]
    wrong: FormState
    form: FormState
    chips: tuple[widgets.Chip, ...]
    ident: format.Ident
    at: format.Moment
    pager: widgets.Pager
    segments: tuple[charts.Segment, ...]
    meters: tuple[charts.Meter, ...]
    ranking: charts.Ranking
    packages: tuple[tuple[str, str, str], ...]
    steps: tuple[widgets.Step, ...]
    long: str
    artifact: widgets.External
    refused: widgets.External
    failed: widgets.Failed
    forbidden: ProblemPage
    spark: charts.Spark
    charts: tuple[charts.Chart, ...]


def environment() -> Environment:
    """Return Jinja as the console has it, with the styles beside the page."""
    made = Templates(
        loader=FileSystemLoader([CONSOLE, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    install(made)
    made.filters["labelled"] = labelled
    made.globals |= elements(Assets()) | {"asset": lambda name: f"/{name}"}
    parts = [made.get_template(f"parts/{part}.html").module for part in PARTS]
    made.globals["ui"] = SimpleNamespace(**{name: each for part in parts for name, each in vars(part).items()})
    return made


def files() -> dict[str, tuple[str, bytes]]:
    """Return the gallery in both themes and what it loads, by path, each with its media type."""
    static = CONSOLE / "static"
    template, page = environment().get_template("gallery.html"), gallery()
    pages = {
        f"/{theme}": ("text/html; charset=utf-8", template.render(page=page, theme=theme).encode())
        for theme in ("light", "dark", "system")
    }
    return {
        **pages,
        "/console.css": ("text/css", b"\n".join((static / name).read_bytes() for name in STYLES)),
        "/console.js": ("text/javascript", b"\n".join((static / name).read_bytes() for name in SCRIPTS)),
        "/icons.svg": ("image/svg+xml", (static / "icons.svg").read_bytes()),
    }


def amount(value: str, currency: str = "CREDIT") -> format.Amount:
    return format.amount(value, currency)


def days(count: int) -> list[str]:
    return [format.short_day(f"2026-11-{day + 1:02}") for day in range(count)]


def drawn() -> tuple[charts.Chart, ...]:
    balance = [Decimal(1200 - 31 * day % 400 - 9 * day) for day in range(30)]
    gaps = tuple(None if day in {9, 10, 11} else value for day, value in enumerate(balance))
    spent = [
        charts.Series(label=name, values=tuple(Decimal((day * step + start) % 23) / 2 for day in range(30)))
        for name, step, start in (("Models", 7, 3), ("Agents", 5, 11), ("Storage", 3, 17))
    ]
    score = tuple(Decimal(70 + (week * 5) % 9) for week in range(14))
    interval = charts.Series(
        label="Score",
        values=score,
        ahead=4,
        low=tuple(value - 4 - week for week, value in enumerate(score)),
        high=tuple(value + 4 + week for week, value in enumerate(score)),
    )
    return (
        charts.line("Balance of 30 days", days(30), [charts.Series(label="Balance", values=gaps)], CREDITS),
        charts.stacked("Spending by service", days(30), spent, CREDITS),
        charts.line(
            "Score with its interval", [f"Week {w + 1}" for w in range(14)], [interval], charts.Unit(), head="Week"
        ),
        charts.line("A share far from zero", days(7), [charts.Series(label="Paid", values=share(7))], charts.Unit("%")),
        charts.line("Nothing", [], [charts.Series(label="Nothing", values=())], CREDITS),
    )


def share(count: int) -> tuple[Decimal, ...]:
    return tuple(Decimal("0.971") + Decimal(day % 3) / 1000 for day in range(count))


def gallery() -> Gallery:
    symbols = re.findall(r'<symbol id="(\w+)"', (CONSOLE / "static/icons.svg").read_text())
    third = -(-len(symbols) // 3)
    packages = (("a", "500 credits", "$5.00"), ("b", "1,000 credits", "$10.00"), ("c", "5,000 credits", "$50.00"))
    spark = charts.spark(days(30), [Decimal(40 + (day * 13) % 17) for day in range(30)], CREDITS)
    return Gallery(
        title="Every part",
        amounts=(amount("1047.5"), amount("1000", "JPY"), amount("0.00512", "BTC"), amount("-1204.75", "EUR")),
        statuses=tuple(STATUSES["escrow"].values()),
        icons=tuple(
            (label, tuple(symbols[third * number : third * (number + 1)]))
            for number, label in enumerate(("Work", "Money", "Installation"))
        ),
        crumbs=(widgets.Link(label="Escrows", href="#main"),),
        link=widgets.Link(label="Open the contract", href="#main", icon="contract"),
        tabs=(
            widgets.Tab(label="All", href="#main", count="97", current=True),
            widgets.Tab(label="To do", href="#main", count="3"),
            widgets.Tab(label="Funded", href="#main", count="12"),
            widgets.Tab(label="Disputed", href="#main", count="1"),
            widgets.Tab(label="Released", href="#main", count="81"),
        ),
        wrong=FormState(
            key="con_0123456789abcdef",
            values={"amount": "1e3"},
            errors={"amount": "An amount is digits with a point.", "title": "A title is needed."},
        ),
        form=FormState(key="con_0123456789abcdef", values={}, errors={}),
        chips=(
            widgets.Chip(label="Status", value="Funded", remove="#main"),
            widgets.Chip(label="From", value="1 Nov 2026", remove="#main"),
        ),
        ident=format.ident("esc_01kar6xyzabc123defghjkmn"),
        at=AT,
        pager=widgets.Pager(next="#main", newest="#main", csv="#main", count="50 of 97"),
        segments=charts.segments(
            [
                ("Held", amount("25"), Decimal(25), "busy"),
                ("Paid", amount("20"), Decimal(20), "good"),
                ("Returned", amount("4"), Decimal(4), "idle"),
                ("Commission", amount("1"), Decimal(1), "c3"),
            ]
        ),
        meters=(
            charts.meter("Research", Decimal(40), Decimal(100), "40.00 of 100.00 credits"),
            charts.meter("Support", Decimal(85), Decimal(100), "85.00 of 100.00 credits"),
            charts.meter("Sales", Decimal(130), Decimal(100), "130.00 of 100.00 credits"),
        ),
        ranking=charts.ranking(
            "Cost by model",
            [("Small", Decimal("12.5"), ""), ("Large", Decimal(80), "new"), ("V", Decimal(31), "")],
            CREDITS,
        ),
        packages=packages,
        steps=(
            widgets.Step(title="Opened", at=AT, tone=Tone.GOOD, icon="check", who="anna@acme.example"),
            widgets.Step(title="Funded", at=AT, tone=Tone.GOOD, icon="check", amount=amount("50"), href="#main"),
            widgets.Step(
                title="Delivered", at=AT, tone=Tone.BUSY, icon="clock", detail="Forty summaries.", who="Studio"
            ),
            widgets.Step(title="Released by itself on 25 November"),
        ),
        long="A name without end " + "x" * 180,
        artifact=widgets.external("report.pdf", "https://files.example/report.pdf"),
        refused=widgets.external("report.pdf", "javascript:alert(1)"),
        failed=widgets.Failed(title="Spending by service", request_id="req_01kar6", again="#main"),
        forbidden=ProblemPage(
            title=WORDS[Reaction.FORBIDDEN][0],
            sentence=WORDS[Reaction.FORBIDDEN][1],
            detail="This page needs the permission operate, which your role does not have.",
            request_id="req_01kar6",
        ),
        spark=spark,
        charts=drawn(),
    )


def rendered(source: str, **names: Any) -> str:
    """Print a template given as text, with every part as `ui`."""
    return environment().from_string(source).render(**names)
