"""What the pages of alert rules show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.alert_rule import terms
from console.forms import FormState, blank
from console.gateway import Answer
from console.mentions import Naming
from console.notification.view import kind_named
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, FormPage, Link
from domain.messages.notification.channel import ChannelStatus
from domain.messages.texts import title_of

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule; `switch` is where it is switched on or off, and empty for those who may not."""

    href: str
    name: str
    words: str
    severity: Status
    enabled: bool
    built_in: bool
    switch: str
    form: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(FormPage):
    """The list. `failed` is shown instead if the API did not answer."""

    create: str
    rows: tuple[Row, ...]
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    says: str
    unit: str
    conditions: str
    narrowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a rule's notifications can be sent to, and what its escalation ladder is made of.

    Attributes:
        channels: id, target and kind of each notification channel that can be chosen.
        roles: whom a step of the ladder can call.
        steps: the fields of each step: its role, and how long after the alert it is called.
    """

    channels: tuple[tuple[str, str, str], ...]
    roles: Options
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form of a rule.

    Attributes:
        says: when it fires, where that is not the form's to say: of a rule that everybody has.
        named: whether the form has a name, as that of a new rule.
        written: whether it says what is watched; a rule that everybody has says that by itself.
        remove: a link that deletes it, or has it be as it was made; None if there is nothing to remove.
    """

    label: str
    says: str
    named: bool
    written: bool
    may_change: bool
    remove: Link | None
    metrics: Options
    others: Options
    conditions: Options
    measures: Options
    directions: Options
    narrowed: Options
    objects: Options
    severities: Options
    heard: Heard
    figures: tuple[Figure, ...]


def page(answer: Answer, form: FormState, naming: Naming, base: str, here: str, *, may_change: bool) -> Rules:
    """Return the list for what the API answered; `form` is of a command that was refused."""
    failed = unanswered("Alert rules", answer, here)
    return Rules(
        title="Alert rules",
        crumbs=(Link(label="Alerts", href=f"{base}/alerts"),),
        create=f"{here}/new" if may_change else "",
        rows=() if failed else tuple(_row(each, naming, here, may_change=may_change) for each in answer.body["data"]),
        form=form,
        failed=failed,
    )


def _row(found: Mapping[str, Any], naming: Naming, here: str, *, may_change: bool) -> Row:
    return Row(
        href=f"{here}/{found['id']}",
        name=_name(found),
        words=terms.words(found, naming),
        severity=status_of("severity", found["severity"]),
        enabled=found["enabled"],
        built_in=found["built_in"],
        switch=f"{here}/{found['id']}/switch" if may_change else "",
        form=blank(),
    )


def _name(found: Mapping[str, Any]) -> str:
    name = str(found["name"])
    return title_of(name) if found["built_in"] else name


def _set(metrics: Sequence[Mapping[str, Any]], objects: Options, **own: Any) -> Set:
    names = tuple((each["name"], each["description"]) for each in metrics)
    return Set(
        metrics=names,
        others=(("", "None"), *names),
        conditions=terms.CONDITIONS,
        measures=terms.MEASURES,
        directions=terms.DIRECTIONS,
        narrowed=terms.NARROWED,
        objects=objects,
        severities=terms.SEVERITIES,
        figures=tuple(_figure(each) for each in metrics),
        **own,
    )


def _figure(metric: Mapping[str, Any]) -> Figure:
    asked = dict(terms.CONDITIONS)
    words = [asked[each].lower() for each in metric["conditions"] if each in asked]
    narrowed = [dict(terms.NARROWED).get(each, each).lower() for each in metric["filters"]]
    needed = " (required)" if metric["required_filters"] else ""
    return Figure(
        says=metric["description"],
        unit=metric["unit"],
        conditions=", ".join(words),
        narrowed=", ".join(narrowed) + needed if narrowed else "",
    )


def heard(mine: Answer, form: FormState, *, platform: bool) -> Heard:
    """Return who can be told and called."""
    own = {
        each["id"]: (each["id"], each["target"], kind_named(each["kind"]))
        for each in (mine.body["data"] if mine.ok else ())
        if each["status"] == ChannelStatus.VERIFIED
    }
    others = (each for each in form.lists.get(terms.CHANNELS, ()) if each not in own)
    return Heard(
        channels=(*own.values(), *((each, each, "Of another person") for each in others)),
        roles=terms.callable_by(platform=platform),
        steps=terms.steps_of(form),
    )


def create(metrics: Answer, form: FormState, objects: Options, heard: Heard, base: str, here: str) -> Set:
    """Return the form of a new rule; `objects` are ids and names that it can be narrowed to."""
    return _set(
        metrics.need()["data"],
        objects,
        heard=heard,
        title="Create alert rule",
        crumbs=_crumbs(base, here),
        action=f"{here}/new",
        label="Create rule",
        form=form,
        says="",
        named=True,
        written=True,
        may_change=True,
        remove=None,
    )


def one(
    found: Mapping[str, Any],
    metrics: Answer,
    form: FormState,
    objects: Options,
    heard: Heard,
    naming: Naming,
    base: str,
    here: str,
    *,
    may_change: bool,
) -> Set:
    built_in, changed = found["built_in"], found["created_at"] is not None
    remove = Link(label="Reset" if built_in else "Delete", href=f"{here}/{found['id']}/delete", kind="danger")
    return _set(
        metrics.need()["data"],
        objects,
        heard=heard,
        title=_name(found),
        crumbs=_crumbs(base, here),
        action=f"{here}/{found['id']}",
        label="Edit rule",
        form=form,
        says="" if may_change and not built_in else terms.words(found, naming),
        named=False,
        written=not built_in,
        may_change=may_change,
        remove=remove if may_change and changed else None,
    )


def _crumbs(base: str, here: str) -> tuple[Link, ...]:
    return (Link(label="Alerts", href=f"{base}/alerts"), Link(label="Alert rules", href=here))


def deleting(found: Mapping[str, Any], form: FormState, naming: Naming, here: str) -> Confirmation:
    back, built_in = f"{here}/{found['id']}", found["built_in"]
    return Confirmation(
        title="Reset this rule?" if built_in else "Delete this rule?",
        back=back,
        action=f"{back}/delete",
        label="Reset" if built_in else "Delete rule",
        form=form,
        facts=(("Rule", _name(found)), ("Fires when", terms.words(found, naming))),
        effect=(
            "The rule is enabled with its default severity and channels."
            if built_in
            else "Its metric is no longer watched. Its open alerts are resolved.",
        ),
    )
