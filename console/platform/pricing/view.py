"""What the pages of price rules show: the list, one rule, its form, and what trying it on past quotes came to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, count, ident, moment, number
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.platform.pricing import terms
from console.platform.pricing.terms import DAYS, KINDS, STACKING, Field
from console.status import Status, status_of
from console.widgets import Confirmation, FormPage, Link, Page, Tab
from domain.marketplace.pricing.rule import RuleType
from domain.marketplace.pricing.terms import MAX_STEPS

PLACE = "/console/platform/pricing"
FILTERS = ("type", "agent_id", "organization_id", "ended")
LABELS = {"type": "Kind", "agent_id": "Agent", "organization_id": "Client", "ended": "Include ended"}
#: What of a rule has names.
NAMED = ("agent_id", "organization_id")
CRUMBS = (Link(label="Pricing", href=PLACE),)
#: So many steps a form has beyond those that are filled.
_SPARE = 2
_LEAST_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule; `agent` and `client` are empty if it is for all."""

    href: str
    name: str
    kind: str
    status: Status
    priority: str
    says: str
    agent: Sentence
    client: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(ListPage):
    """The list, in the order of the API: newest first."""

    rows: tuple[Row, ...]
    kinds: tuple[tuple[str, str], ...]
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    quotes: str
    before: Amount
    after: Amount
    change: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    id: Ident
    base: Amount
    before: Amount
    after: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    quotes: str
    changed: str
    nothing: bool
    totals: tuple[Total, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing(FormPage):
    """The form of a rule. `tabs` choose its kind, and are empty if a rule is changed; `stacking` if it has none."""

    lead: str
    tabs: tuple[Tab, ...]
    type: str
    label: str
    fields: tuple[Field, ...]
    steps: tuple[tuple[str, str], ...]
    step: str
    weekdays: tuple[tuple[str, str, str], ...]
    stacking: tuple[tuple[str, str, str], ...]
    zone: str
    tried: Tried | None


@dataclass(frozen=True, slots=True, kw_only=True)
class One(Page):
    """One rule. `change` and `end` are empty if it is ended, or the role may not."""

    form: FormState
    id: Ident
    status: Status
    kind: str
    says: str
    priority: str
    stacking: str
    agent: Sentence
    client: Sentence
    floor: str
    ceiling: str
    since: Moment | None
    until: Moment | None
    version: str
    by: str
    created: Moment
    updated: Moment | None
    ended: Moment | None
    change: str
    end: str


def page(found: ListResult, naming: Naming, now: datetime, *, may_write: bool) -> Rules:
    return Rules(
        title="Pricing",
        listed=found.listed("Rules", LABELS),
        rows=tuple(_row(each, naming, now) for each in found.rows),
        kinds=(("", "Any"), *((name, kind.word) for name, kind in KINDS.items())),
        new=f"{PLACE}/new" if may_write else "",
    )


def one(body: Mapping[str, Any], form: FormState, naming: Naming, now: datetime, *, may_write: bool) -> One:
    here, open_, prefs = f"{PLACE}/{body['id']}", may_write and body["ended_at"] is None, naming.prefs
    moments = {
        name: moment(body[of], prefs) if body[of] else None
        for name, of in (
            ("since", "valid_from"),
            ("until", "valid_until"),
            ("updated", "updated_at"),
            ("ended", "ended_at"),
        )
    }
    return One(
        title=body["name"],
        crumbs=CRUMBS,
        id=ident(body["id"]),
        status=_status(body, now),
        kind=KINDS[body["type"]].word,
        says=terms.says(body["type"], body["terms"], prefs),
        priority=count(body["priority"], prefs),
        stacking=_stacking(body),
        agent=naming(body["agent_id"]),
        client=naming(body["organization_id"]),
        floor=number(body["floor"], prefs) if body["floor"] else "",
        ceiling=number(body["ceiling"], prefs) if body["ceiling"] else "",
        version=count(body["version"], prefs),
        by=body["created_by"],
        created=moment(body["created_at"], prefs),
        change=f"{here}/change" if open_ else "",
        end=f"{here}/end" if open_ else "",
        form=form,
        **moments,
    )


def new(type_: str, form: FormState | None, zone: str, tried: Tried | None) -> Writing:
    tabs = tuple(
        Tab(label=kind.word, href=f"{PLACE}/new?type={name}", current=name == type_) for name, kind in KINDS.items()
    )
    written = _writing(type_, form, terms.initial(type_), zone, tried)
    return replace(written, title="Create rule", tabs=tabs, action=f"{PLACE}/new", label="Create rule")


def change(body: Mapping[str, Any], form: FormState | None, zone: str, tried: Tried | None) -> Writing:
    here = f"{PLACE}/{body['id']}"
    return replace(
        _writing(body["type"], form, terms.typed(body, zone), zone, tried),
        title=f"Change {body['name']}",
        crumbs=(*CRUMBS, Link(label=body["name"], href=here)),
        action=f"{here}/change",
        label="Save rule",
    )


def ending(body: Mapping[str, Any], form: FormState, prefs: Prefs) -> Confirmation:
    here = f"{PLACE}/{body['id']}"
    return Confirmation(
        title=f"End {body['name']}?",
        back=here,
        action=f"{here}/end",
        label="End rule",
        form=form,
        facts=(("Effect", terms.says(body["type"], body["terms"], prefs)),),
        effect=(
            "It no longer changes prices. Existing quotes keep their price.",
            "An ended rule cannot be restored. Create a new one instead.",
        ),
    )


def tried(body: Mapping[str, Any], prefs: Prefs) -> Tried:
    def total(each: Mapping[str, Any]) -> Total:
        code, before, after = each["currency"], each["before"], each["after"]
        return Total(
            quotes=count(each["quotes"], prefs),
            before=amount(before, code, prefs),
            after=amount(after, code, prefs),
            change=amount(f"{Decimal(after) - Decimal(before):f}", code, prefs, signed=True),
        )

    return Tried(
        quotes=count(body["quotes"], prefs),
        changed=count(body["changed"], prefs),
        nothing=body["changed"] == 0,
        totals=tuple(total(each) for each in body["totals"]),
        examples=tuple(
            Example(
                id=ident(each["quote_id"]),
                base=amount(each["base_price"], each["currency"], prefs),
                before=amount(each["before"], each["currency"], prefs),
                after=amount(each["after"], each["currency"], prefs),
            )
            for each in body["examples"]
        ),
    )


def _writing(
    type_: str,
    form: FormState | None,
    given: tuple[dict[str, str], dict[str, tuple[str, ...]]],
    zone: str,
    tried: Tried | None,
) -> Writing:
    kind = KINDS[type_]
    values, several = given
    shown = form or replace(blank(), values=values, lists=several)
    filled = sum(1 for least, by in terms.step_fields(MAX_STEPS) if shown.value(least) or shown.value(by))
    is_timed = type_ == RuleType.TIME_OF_DAY
    return Writing(
        title="",
        lead=kind.sentence,
        crumbs=CRUMBS,
        tabs=(),
        type=type_,
        form=shown,
        action="",
        label="",
        fields=kind.fields,
        steps=terms.step_fields(min(max(filled + _SPARE, _LEAST_STEPS), MAX_STEPS)) if kind.step else (),
        step="From quantity" if kind.step == "quantity" else "From amount",
        weekdays=tuple((str(at), day, "") for at, day in enumerate(DAYS, 1)) if is_timed else (),
        stacking=STACKING if kind.stacks else (),
        zone=zone,
        tried=tried,
    )


def _row(body: Mapping[str, Any], naming: Naming, now: datetime) -> Row:
    return Row(
        href=f"{PLACE}/{body['id']}",
        name=body["name"],
        kind=KINDS[body["type"]].word,
        status=_status(body, now),
        priority=count(body["priority"], naming.prefs),
        says=terms.says(body["type"], body["terms"], naming.prefs),
        agent=naming(body["agent_id"]),
        client=naming(body["organization_id"]),
    )


def _status(body: Mapping[str, Any], now: datetime) -> Status:
    since, until = (body[name] and datetime.fromisoformat(body[name]) for name in ("valid_from", "valid_until"))
    if body["ended_at"]:
        return status_of("price_rule", "ended")
    if until and until <= now:
        return status_of("price_rule", "past")
    return status_of("price_rule", "coming" if since and since > now else "holds")


def _stacking(body: Mapping[str, Any]) -> str:
    return next(words for name, words, _ in STACKING if name == body["stacking"]) if KINDS[body["type"]].stacks else ""
