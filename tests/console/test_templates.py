"""Templates print what their view models have, and nothing that the browser would refuse or that could be run."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from console import charts, widgets
from console.lists import ListView
from console.status import Status
from domain.messages.changes import TOPICS
from tests.console.gallery import FormState, rendered
from tests.console.template_types import (
    CONSOLE,
    ROOT,
    class_named,
    declarations,
    declared,
    macro_problems,
    macros,
    parameters,
    problems,
    reached,
)
from tests.console.test_contrast import COLOUR
from tests.support.cases import for_each

PARTS = CONSOLE / "parts"
#: What each macro takes, where that is more than a word.
TAKES: dict[str, dict[str, dict[str, Any]]] = {
    "page": {
        "heading": {"crumbs": Sequence[widgets.Link], "badge": Status},
        "button_link": {"link": widgets.Link},
        "panel": {"more": widgets.Link},
    },
    "table": {
        "tabs": {"tabs": Sequence[widgets.Tab]},
        "chips": {"chips": Sequence[widgets.Chip]},
        "pager": {"pager": widgets.Pager},
    },
    "rows": {"rows": {"listed": ListView}},
    "form": {name: {"form": FormState} for name in macros(PARTS / "form.html")},
    "state": {"section_failed": {"failed": widgets.Failed}},
    "timeline": {"timeline": {"steps": Sequence[widgets.Step]}},
    "charts": {
        "figure": {"chart": charts.Chart},
        "spark": {"chart": charts.Spark},
        "bar": {"segments": Sequence[charts.Segment]},
        "meters": {"meters": Sequence[charts.Meter]},
        "ranking": {"ranking": charts.Ranking},
    },
}
EVERY = sorted(CONSOLE.rglob("*.html"))
#: Templates that are pages; the parts that hold macros, and what pages extend, are printed by them.
PAGES = [path for path in EVERY if "{% extends" in path.read_text()]
GALLERY = ROOT / "tests/console/gallery.html"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def frame() -> dict[str, Any]:
    return {"frame": class_named("console.frame.Frame")} if (CONSOLE / "frame.py").exists() else {}


@for_each("path", [*PAGES, GALLERY])
def test_a_page_prints_only_what_its_view_model_has(path):
    names = declarations(path)

    assert "page" in names, (
        "Its first comment is no declaration, such as {# page: console.noun_page.ListPage; rows: GET /cards #}"
    )
    assert problems(path, {**names, **frame(), **({"theme": str} if path == GALLERY else {})}) == []


@for_each("path", [*PAGES, GALLERY])
def test_a_view_model_cannot_change(path):
    model = declared(path)

    assert [kind.__name__ for kind in reached(model) if not kind.__dataclass_params__.frozen] == []


@for_each("part", sorted(TAKES))
def test_a_macro_prints_only_what_it_takes(part):
    assert macro_problems(PARTS / f"{part}.html", TAKES[part]) == []


@for_each("path", [path for path in EVERY if path not in PAGES and path.parent != PARTS])
def test_a_macro_of_a_noun_prints_only_what_the_api_answers(path):
    assert macro_problems(path, parameters(path)) == []


@for_each("path", EVERY)
def test_a_template_says_what_it_is_and_each_macro_what_it_takes(path):
    text = path.read_text()

    assert text.startswith("{#")
    for macro in re.findall(r"{% macro (\w+)", text):
        assert f"{{# {macro}(" in text


@for_each("path", EVERY)
def test_a_template_has_nothing_that_the_browser_refuses(path):
    text = path.read_text()

    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|srcdoc|<iframe|<object|<embed|<base\b", text) == []
    # Two pages have Stripe's script, under a policy of their own.
    foreign = ["<script"] if name(path) in STRIPES else []
    assert re.findall(r"<script(?![^>]*\ssrc=\"\{\{ asset\()", text) == foreign
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text) == []


@for_each("path", EVERY)
def test_a_template_escapes_everything(path):
    assert re.findall(r"\|\s*safe|Markup|autoescape", path.read_text()) == []


@for_each("path", EVERY)
def test_a_template_names_no_colour(path):
    text = re.sub(r"\{#.*?#\}|#[\w-]+\"|#\{\{", "", path.read_text(), flags=re.DOTALL)

    assert COLOUR.findall(text) == []


@for_each("path", EVERY)
def test_every_class_of_a_template_has_a_style(path):
    sheets = "".join((CONSOLE / "static" / f"{sheet}.css").read_text() for sheet in ("base", "parts"))
    styled = set(re.findall(r"\.([a-z][\w-]*)", sheets)) | {"c1", "c2", "c3", "c4", "c5", "c6", "lines"}
    texts = re.findall(r'class="([^"{}]*)"', path.read_text())

    assert {word for text in texts for word in text.split()} - styled == set()


@for_each("path", EVERY)
def test_every_symbol_of_a_template_is_drawn(path):
    drawn = set(re.findall(r'<symbol id="(\w+)"', (CONSOLE / "static/icons.svg").read_text()))

    assert set(re.findall(r'icon\("(\w+)"\)', path.read_text())) - drawn == set()


def test_only_charts_and_elements_within_a_line_make_markup():
    makers = [path for path in CONSOLE.rglob("*.py") if "markupsafe" in path.read_text()]

    assert {path.name for path in makers if path.parent.name != "charts"} == {"inline.py", "pages.py"}


def test_cells_say_the_head_of_their_column_and_no_more():
    rows = rendered(
        "{% call ui.table('T', (('Work', ''), (x, 'num'), ('', ''))) %}"
        "<tr><th scope='row'>{{ x }}</th><td>1</td><td></td></tr>"
        "<tr><th scope='row'>b</th><td>2</td></tr>"
        '<tr><th scope="row" colspan="2">c</th><td></td></tr>{% endcall %}',
        x='"><td>',
    )
    assert rows.count('<td data-label="&#34;&gt;&lt;td&gt;">') == 2
    assert rows.count("<td") == 4


ATTACKS = [
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</textarea><b>",
    "{{ 7 * 7 }}",
    "\u202eabc",
    "'><img src=x>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_words_of_others_are_text_in_every_part(attack):
    form = FormState(key=attack, values={"f": attack}, errors={"f": attack})
    shown = rendered(
        "{{ other(x) }}{{ cut(x) }}{{ prose(x) }}{{ copy(x, x) }}{{ ui.field(form, 'f', x, hint=x) }}"
        "{{ ui.area(form, 'f', x) }}{{ ui.select(form, 'f', x, [(x, x)]) }}{{ ui.notice('warn', x, x) }}"
        "{{ ui.chips(chips, x) }}{{ external(link) }}{{ ui.summary(form) }}{{ ui.section_failed(failed) }}",
        x=attack,
        form=form,
        chips=[widgets.Chip(label=attack, value=attack, remove="/console")],
        link=widgets.external(attack, f"https://files.example/{attack}"),
        failed=widgets.Failed(title=attack, request_id=attack, again="/console"),
    )

    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert not re.search(r"<[^>]*\sonmouseover=\"alert", shown)


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//files.example", "https://", "http://[", "ftp://x.example/"],
)
def test_what_is_no_web_address_is_no_link(address):
    assert "<a" not in rendered("{{ external(link) }}", link=widgets.external("report", address))


def test_a_link_to_somebody_else_says_where_it_leads():
    shown = rendered("{{ external(link) }}", link=widgets.external("report", "https://files.example/a?b=1"))

    assert 'href="https://files.example/a?b=1" rel="noopener noreferrer nofollow"' in shown
    assert "files.example, opens in a new tab" in shown


def test_a_field_that_is_wrong_says_so_beside_it_and_on_top():
    form = FormState(key="k", values={"amount": "1e3"}, errors={"amount": "An amount is digits."})
    shown = rendered("{{ ui.summary(form) }}{{ ui.field(form, 'amount', 'Amount', hint='At least 1.') }}", form=form)

    assert '<a href="#f-amount">An amount is digits.</a>' in shown
    assert 'aria-describedby="f-amount-hint f-amount-error" aria-invalid="true"' in shown
    assert 'value="1e3"' in shown


def test_a_secret_is_never_filled_in_again():
    form = FormState(key="k", values={"key": "bsk_secret"}, errors={})

    assert "bsk_secret" not in rendered("{{ ui.secret_field(form, 'key', 'Key') }}", form=form)


WRONG = {
    "{{ page.amounts[0].number }}{% for tab in page.tabs %}{{ tab.labl }}{% endfor %}": "Tab has no labl",
    "{{ page.titel }}": "Gallery has no titel",
    "{{ titel }}": "nobody gives titel",
    "{{ ui.mony(page.title) }}": "ui has no mony",
    "{{ ui.field(page.form, 'a') }}": "field needs ['label']",
    "{{ money(page.title, colour=1) }}": "money: got an unexpected keyword argument 'colour'",
    "{% for label, icons in page.icons %}{{ label.foo }}{% endfor %}": "str has no foo",
    "{{ page.form.value('a').foo }}": "str has no foo",
}


@pytest.mark.parametrize("source", WRONG, ids=WRONG.values())
def test_what_is_not_there_is_noticed(source, tmp_path):
    template = tmp_path / "page.html"
    template.write_text('{% import "parts/form.html" as ui %}' + source)

    assert problems(template, {"page": declared(GALLERY)}) == [f"page.html:1 {WRONG[source]}"]


STRIPES = {"console/payment_method/fill_in.html", "console/card/number.html"}
#: Lists without live changes, which show the state of the request (docs/reference/decisions/console.md#0139).
FOLLOW_NOTHING = {
    "export/list.html",
    "usage/log/list.html",
    "report/list.html",
    *(
        "returns/list.html",
        "audit/list.html",
        *("risk/decision/list.html", "risk/list_item/list.html"),
        "key/list.html",
        "session/list.html",
        "session/link/list.html",
        *("marketplace/list.html", "marketplace/offers.html"),
        "notification/list.html",
        "principal/list.html",
        "department/list.html",
        "card/list.html",
        # Policies are set by a few people, seldom.
        "payment_policy/list.html",
        "economics/routing/list.html",
        # Secrets and grants are set by a few people, seldom.
        *("secret/list.html", "secret/grant/list.html"),
    ),
    "platform/approval/list.html",
    "platform/pricing/list.html",
}


def test_pages_follow_topics_that_there_are() -> None:
    named = re.compile(r'(?:data-live|live|topic)(?:=| = )"([a-z_ ]+)"')
    topics = {topic for path in PAGES for found in named.findall(path.read_text()) for topic in found.split()}
    assert topics <= TOPICS
    assert {"agents", "projects", "contracts", "disputes", "purchases", "organization"} <= topics


def test_every_list_follows_what_changes_or_is_known_not_to() -> None:
    texts = {path: path.read_text() for path in PAGES if path.parent != PARTS}
    calls = {path: re.findall(r"\{% call (?:rows|listing)\(.*\) %\}", text) for path, text in texts.items()}
    still = {path for path, found in calls.items() if any('live="' not in call for call in found)}
    still |= {
        path
        for path, text in texts.items()
        if '{% extends "parts/list.html" %}' in text and not re.search(r"set [^%]*\blive\b", text)
    }
    assert {str(path.relative_to(CONSOLE)) for path in still} == FOLLOW_NOTHING
