"""What the pages of limits show."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.charts import Meter
from console.charts.rank import meter
from console.format import Amount, Ident, Moment, Prefs, amount, count, ident, joined, moment, money, percent
from console.forms import FormState
from console.gateway import Answer
from console.lists import Choice, ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.spend_control import terms
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, FormPage, Link, Tab
from domain.common.money import CREDIT

FILTERS = ("subject_type", "open")
LABELS = {"subject_type": "For"}
KINDS = {
    "organization": "Organization",
    "department": "Department",
    "project": "Project",
    "agent": "Agent",
    "run": "Run",
    "key": "Key",
}
#: How a spend or an escrow stands.
_STATES = {
    "charged": "Charged",
    "reserved": "Held",
    "captured": "Paid",
    "released": "Released",
    "expired": "Expired",
    "refunded": "Refunded",
}
#: What counts beside spends.
_WHAT = {"escrow": "Escrow", "purchase": "Purchase"}
#: Why something was refused.
_REASONS = {
    "limit": "Above the remaining amount",
    "uses": "No uses left",
    "per_spend": "Above the maximum per charge",
    "frozen": "The limit was frozen",
    "rate": "No exchange rate",
    "payment": "Payments with credits have no limits",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One limit. `id` is that of whom it is for, None of the organization."""

    kind: str
    name: str
    id: Ident | None
    href: str
    status: Status
    meters: tuple[Meter, ...]
    per_spend: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(ListPage):
    """The list; `create` is empty if the reader may not."""

    departments: str
    kinds: tuple[tuple[str, str], ...]
    open: str
    create: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSpend:
    """Something that counts in a limit; an escrow and a purchase have their name and page in `of`, a spend nothing."""

    at: Moment
    what: str
    of: Sentence
    state: str
    amount: Amount
    counted: Amount
    by: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that was refused. `left` and `limit` are empty if the reason has none."""

    at: Moment
    reason: str
    action: str
    amount: Amount
    limit: str
    left: str
    resets: Moment | None
    by: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    number: str
    at: Moment
    by: str
    status: Status
    allowed: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What counts in a control, what it refused, and how it changed; what failed is shown instead of its list."""

    spends: tuple[CountedSpend, ...]
    spends_failed: Failed | None
    refusals: tuple[Refusal, ...]
    refusals_failed: Failed | None
    versions: tuple[Version, ...]
    versions_failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(FormPage):
    """One limit. What the reader may not do is empty or None."""

    row: Row
    id: Ident
    currency: str
    zone: str
    thresholds: str
    begins: Moment | None
    ends: Moment | None
    parent: Sentence
    made: Moment
    change: str
    freeze: str
    unfreeze: str
    close: str
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    label: str
    amount: str
    uses: str
    soft: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form that sets or changes a limit.

    Attributes:
        subjects: empty for a change.
        usual: the amounts of the short form: fields and labels.
        more: whether anything beyond the short form is set.
        kept: what a change keeps.
    """

    lead: str
    label: str
    subjects: tuple[tuple[str, str], ...]
    usual: tuple[tuple[str, str], ...]
    windows: tuple[Field, ...]
    more: bool
    kept: tuple[tuple[str, str], ...]


def tabs(found: ListResult) -> tuple[Tab, ...]:
    """Return the tabs of a list: the open ones, or all."""
    every = found.asked.given.get("open") == "false"
    return (
        Tab(label="Active", href=found.asked.address(open=""), current=not every),
        Tab(label="All", href=found.asked.address(open="false"), current=every),
    )


def page(found: ListResult, prefs: Prefs, create: str) -> Limits:
    return Limits(
        title="Limits",
        listed=found.listed("Limits", LABELS, tabbed=("open",)),
        departments=f"{found.asked.path.removesuffix('/limits')}/departments",
        tabs=tabs(found),
        kinds=(("", "Anything"), *KINDS.items()),
        open=found.asked.given.get("open", ""),
        create=create,
        rows=tuple(_row(each, prefs, found.asked.path) for each in found.rows),
    )


def _row(control: Mapping[str, Any], prefs: Prefs, listed: str) -> Row:
    subject, per_spend = control["subject"], control["per_spend"]
    whole = subject["type"] == "organization"
    kind = KINDS.get(subject["type"], subject["type"])
    return Row(
        kind=kind,
        name="The whole organization" if whole else subject["name"] or "",
        id=None if whole else ident(subject["id"]),
        href=f"{listed}/{control['id']}",
        status=status_of("control", control["status"]),
        meters=tuple(each for limit in control["limits"] for each in _meters(limit, control["currency"], prefs)),
        per_spend=None if per_spend is None else amount(per_spend, control["currency"], prefs),
    )


def _meters(limit: Mapping[str, Any], currency: str, prefs: Prefs) -> tuple[Meter, ...]:
    """Draw what is used of an amount and of a number of uses, in words: spent, reserved, left, and when it resets."""
    label = terms.WINDOWS.get(limit["window"], limit["window"])
    ends = f"resets {moment(limit['resets_at'], prefs).text}" if limit["resets_at"] else "never resets"
    rest = ends if limit["hard"] else f"{ends}; alerts only"
    found = []
    if limit["amount"] is not None:
        spent, held = Decimal(limit["spent"]), Decimal(limit["held"])
        reserved = f", {money(limit['held'], currency, prefs)} reserved" if held else ""
        text = (
            f"{money(limit['spent'], currency, prefs)} spent{reserved} of {money(limit['amount'], currency, prefs)}, "
            f"{money(limit['remaining'], currency, prefs)} left; {rest}"
        )
        # The sum is for the length of the bar alone; every number in the text is the API's.
        found.append(meter(label, spent + held, Decimal(limit["amount"]), text))
    if limit["uses"] is not None:
        used, most, left = (count(limit[name], prefs) for name in ("uses_spent", "uses", "uses_remaining"))
        text = f"{used} of {most} uses, {left} left; {rest}"
        found.append(meter(label, Decimal(limit["uses_spent"]), Decimal(limit["uses"]), text))
    return tuple(found)


def one(answers: Mapping[str, Answer], form: FormState, naming: Naming, listed: str, *, may_change: bool) -> Limit:
    """Return a limit."""
    control, currency, prefs = answers["control"].body, answers["control"].body["currency"], naming.prefs
    row, here, status = _row(control, prefs, listed), f"{listed}/{control['id']}", control["status"]
    changes = may_change and status != "closed"
    return Limit(
        title=f"Limit of {row.kind.lower()} {row.name or row.id}" if row.id else "Limit of the organization",
        crumbs=(Link(label="Limits", href=listed),),
        form=form,
        row=row,
        id=ident(control["id"]),
        currency="credits" if currency == CREDIT else currency,
        zone=control["time_zone"],
        thresholds=joined([percent(part, prefs) for part in control["thresholds"]]),
        begins=maybe(control["starts_at"], prefs),
        ends=maybe(control["ends_at"], prefs),
        parent=naming(control["parent_id"]),
        made=moment(control["created_at"], prefs),
        change=f"{here}/change" if changes else "",
        freeze=f"{here}/freeze" if changes and status == "active" else "",
        unfreeze=f"{here}/unfreeze" if changes and status == "frozen" else "",
        close=f"{here}/close" if changes else "",
        history=history(answers, naming, here),
    )


def history(answers: Mapping[str, Answer], naming: Naming, here: str) -> History:
    """Return the lists of the control that `answers` has beside them; `here` is the address of its page."""
    currency, prefs = answers["control"].body["currency"], naming.prefs
    spends, refusals, versions = answers["spends"], answers["refusals"], answers["versions"]
    return History(
        spends=tuple(counted(each, currency, naming) for each in (spends.body["data"] if spends.ok else ())),
        spends_failed=unanswered("Counted", spends, here),
        refusals=tuple(refusal(each, currency, naming) for each in (refusals.body["data"] if refusals.ok else ())),
        refusals_failed=unanswered("Refused", refusals, here),
        versions=tuple(version(each, currency, prefs) for each in (versions.body["data"] if versions.ok else ())),
        versions_failed=unanswered("Changes", versions, here),
    )


def counted(spend: Mapping[str, Any], currency: str, naming: Naming) -> CountedSpend:
    return CountedSpend(
        at=moment(spend["at"], naming.prefs),
        what=_WHAT.get(spend["type"], spend["action"]),
        of=naming(spend["id"]) if spend["type"] in _WHAT else (),
        state=_STATES.get(spend["status"], spend["status"]),
        amount=amount(spend["amount"], spend.get("currency", CREDIT), naming.prefs),
        counted=amount(spend["counted"], currency, naming.prefs),
        by=_by(spend, naming),
    )


def _by(spend: Mapping[str, Any], naming: Naming) -> Sentence:
    agent_id = spend["agent_id"]
    return naming(agent_id if agent_id in naming.names else spend["principal"] or agent_id)


def refusal(refused: Mapping[str, Any], currency: str, naming: Naming) -> Refusal:
    prefs = naming.prefs

    def written(value: str | None) -> str:
        if value is None:
            return ""
        return f"{value} uses" if refused["reason"] == "uses" else money(value, currency, prefs)

    return Refusal(
        at=moment(refused["at"], prefs),
        reason=_REASONS.get(refused["reason"], refused["reason"]),
        action=_WHAT["purchase"] if refused["action"] == "purchase_order" else refused["action"],
        amount=amount(refused["amount"], refused.get("currency", CREDIT), prefs),
        limit=written(refused["limit"]),
        left=written(refused["remaining"]),
        resets=maybe(refused["resets_at"], prefs),
        by=_by(refused, naming),
    )


def version(made: Mapping[str, Any], currency: str, prefs: Prefs) -> Version:
    parts = []
    for limit in made["limits"]:
        window = terms.WINDOWS.get(limit["window"], limit["window"]).lower()
        if limit["amount"] is not None:
            parts.append(f"{money(limit['amount'], currency, prefs)} {window}")
        if limit["uses"] is not None:
            parts.append(f"{count(limit['uses'], prefs)} uses {window}")
    if made["per_spend"] is not None:
        parts.append(f"{money(made['per_spend'], currency, prefs)} per charge")
    return Version(
        number=count(made["version"], prefs),
        at=moment(made["changed_at"], prefs),
        by=made["changed_by"].rpartition("/")[2],
        status=status_of("control", made["status"]),
        allowed="; ".join(parts) or "Anything",
        reason=made["reason"] or "",
    )


_USUAL = tuple((f"{window}_amount", label) for window, label in terms.USUAL.items())


def _windows() -> tuple[Field, ...]:
    return tuple(
        Field(
            label=label,
            amount="" if window in terms.USUAL else f"{window}_amount",
            uses=f"{window}_uses",
            soft=f"{window}_soft",
        )
        for window, label in terms.WINDOWS.items()
    )


def _has_more(form: FormState) -> bool:
    short = {*dict(_USUAL), "thresholds", "reason"}
    return any(form.value(name) for name in (*terms.FIELDS, "subject_id") if name not in short)


def subjects(choices: Mapping[str, Choice]) -> tuple[tuple[str, str], ...]:
    """Return whom a control can be for: the newest of each kind can be chosen, others by their ids."""
    chosen = [
        (f"{kind}:{each['id']}", f"{KINDS[kind]}: {each.get('name') or each['principal']}")
        for kind, of in choices.items()
        for each in of.rows
    ]
    typed = [(kind, f"{KINDS[kind]}, by id") for kind in (*(kind for kind in choices if choices[kind].more), "run")]
    return (("organization", "The whole organization"), *chosen, *typed)


def create(form: FormState, choices: Mapping[str, Choice], listed: str) -> Set:
    return Set(
        title="Create limit",
        lead="A charge is declined if it would exceed any limit that applies.",
        crumbs=(Link(label="Limits", href=listed),),
        action=f"{listed}/new",
        label="Create limit",
        form=form,
        subjects=subjects(choices),
        usual=_USUAL,
        windows=_windows(),
        more=_has_more(form),
        kept=(),
    )


def change(control: Mapping[str, Any], form: FormState, listed: str) -> Set:
    here = f"{listed}/{control['id']}"
    kept = tuple((name, form.value(name)) for name in terms.KEPT)
    return Set(
        title="Edit limit",
        lead="Applies to later charges. Earlier spending in the window counts.",
        crumbs=(Link(label="Limits", href=listed), Link(label="Limit", href=here)),
        action=f"{here}/change",
        label="Edit limit",
        form=form,
        subjects=(),
        usual=_USUAL,
        windows=_windows(),
        more=_has_more(form),
        kept=kept,
    )


def asking(
    control: Mapping[str, Any], form: FormState, listed: str, noun: str, verb: str, *effect: str
) -> Confirmation:
    """Return the page that asks before a control, which is called `noun`, is frozen or ended: `freeze` or `close`."""
    here, subject = f"{listed}/{control['id']}", control["subject"]
    called = "End" if verb == "close" else "Freeze"
    kind = KINDS.get(subject["type"], subject["type"])
    return Confirmation(
        title=f"{called} this {noun}?",
        back=here,
        action=f"{here}/{verb}",
        label=f"{called} the {noun}",
        form=form,
        facts=(("For", f"{kind} {subject['name'] or subject['id']}"),),
        effect=effect,
        fields=(("version", str(control["version"])),),
    )


def freezing(control: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    return asking(
        control,
        form,
        listed,
        "limit",
        "freeze",
        "All charges under it are declined.",
        "Reserved amounts can still be captured or released. You can unfreeze it at any time.",
    )


def closing(control: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    effect = ("It no longer limits spending. You can create another one.", "This cannot be undone.")
    return asking(control, form, listed, "limit", "close", *effect)


def maybe(at: str | None, prefs: Prefs) -> Moment | None:
    return moment(at, prefs) if at else None
