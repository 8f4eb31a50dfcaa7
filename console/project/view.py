"""What the pages of projects show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, count, moment, percent
from console.forms import FormState
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.paying import COIN
from console.problems import answered
from console.project.room import Room, full, left, used
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, FormPage, Link, Page
from domain.billing.project import DeployType

LABELS = {"q": "Text", "from": "From", "to": "To"}
KINDS = (
    (DeployType.DEVELOPMENT, "Development"),
    (DeployType.STAGING, "Staging"),
    (DeployType.PRODUCTION, "Production"),
)
Option = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One project. `deploy` and `undeploy` are empty if it cannot be, or the role may not.

    `room` leads to what makes room for it where there is none, and takes the place of `deploy`.
    """

    name: str
    slug: str
    status: Status
    kind: str
    in_slot: bool
    since: Moment | None
    made: Moment
    deploy: str
    room: str
    undeploy: str
    form: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """How much room there is: a tone, and sentences. `ways` lead to more, where little or nothing is left."""

    tone: str
    text: str
    note: str
    ways: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects(ListPage):
    """The list. `form` has what the refusal of a command says.

    Attributes:
        room: what makes room, in a dialog; None if there is room, and for a role that may not use it.
        room_href: the page in place of the dialog.
        opens: whether the dialog opens by itself, after a refusal.
        no_project: whether there is no room for another project.
    """

    form: FormState
    banner: Banner | None
    banner_failed: Failed | None
    free: str
    in_use: str
    owed: str
    create: str
    buy: str
    room: Room | None
    room_href: str
    opens: bool
    no_project: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(FormPage):
    """The form that makes a project. `banner` warns where there is no room."""

    kinds: tuple[tuple[str, str], ...]
    banner: Banner | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots(Page):
    """Slots for more deployments: how many, what they cost, and how they are paid."""

    path: str
    pick: FormState
    pay: FormState
    payment_options: tuple[Option, ...]
    price: Amount | None
    goods: Amount | None
    subtotal: Amount | None
    tax: Amount | None
    tax_label: str
    total: Amount | None
    rate: str
    chosen: tuple[tuple[str, str], ...]
    owed: str
    failed: Failed | None


def page(
    found: ListResult,
    form: FormState,
    keys: tuple[FormState, ...],
    prefs: Prefs,
    here: str,
    ways: Mapping[str, str],
    room: Room | None = None,
) -> Projects:
    limits = found.extra.get("limits")
    known = limits is not None and answered(limits)
    body = limits.body if limits is not None and known else None
    slots = body["slots"] if body else {"free": 0, "in_use": 0, "owed": 0}
    no_project, no_deployment = full(body) if body else (False, False)
    return Projects(
        title="Projects",
        listed=found.listed("Projects", LABELS),
        form=form,
        banner=banner(body, prefs, ways) if body else None,
        banner_failed=Failed(title="Limits", request_id=limits.request_id, again=here)
        if limits is not None and not known
        else None,
        free=count(slots["free"], prefs),
        in_use=count(slots["in_use"], prefs),
        owed=count(slots["owed"], prefs) if slots["owed"] else "",
        create=ways["create"],
        buy=ways["slots"],
        room=room,
        room_href=f"{here}/room",
        opens=room is not None and bool(form.summary),
        no_project=no_project,
        rows=tuple(
            _row(each, key, prefs, here, may_deploy=bool(ways["deploy"]), full=no_deployment)
            for each, key in zip(found.rows, keys, strict=True)
        ),
    )


def banner(limits: Mapping[str, Any], prefs: Prefs, ways: Mapping[str, str]) -> Banner:
    projects, deployments = limits["projects"], limits["deployments"]
    least = min((each for each in (left(projects), left(deployments)) if each is not None), default=None)
    text = used(limits, prefs)
    offered = (
        Link(label="Buy a slot", href=ways["slots"]),
        Link(label="View plans", href=ways["plans"], kind="quiet"),
    )
    if least is None or least > 1:
        return Banner(tone="idle", text=text, note="", ways=())
    note = "One more is available." if least == 1 else "The limit is reached. Buy a slot or choose a larger plan."
    return Banner(
        tone="busy" if least == 1 else "warn", text=text, note=note, ways=tuple(each for each in offered if each.href)
    )


def _row(project: Mapping[str, Any], form: FormState, prefs: Prefs, here: str, *, may_deploy: bool, full: bool) -> Row:
    deployed, path = project["deployed"], f"{here}/{project['slug']}"
    since = project["deployed_at"]
    return Row(
        name=project["name"],
        slug=project["slug"],
        status=status_of("project", "deployed" if deployed else "idle"),
        kind=dict(KINDS).get(project["deploy_type"], project["deploy_type"]),
        in_slot=project["occupies_slot"],
        since=moment(since, prefs) if since else None,
        made=moment(project["created_at"], prefs),
        deploy=f"{path}/deploy" if may_deploy and not deployed and not full else "",
        room=f"{here}/room" if may_deploy and not deployed and full else "",
        undeploy=f"{path}/undeploy" if may_deploy and deployed else "",
        form=form,
    )


def create(limits: Answer, form: FormState, prefs: Prefs, here: str, ways: Mapping[str, str]) -> Create:
    shown = banner(limits.body, prefs, ways) if limits.ok else None
    return Create(
        title="Create project",
        crumbs=(Link(label="Projects", href=here),),
        action=f"{here}/new",
        form=form,
        kinds=KINDS,
        banner=shown if shown is not None and shown.note else None,
    )


def undeploying(project: Mapping[str, Any], form: FormState, here: str) -> Confirmation:
    freed = "Its slot is free for another project." if project["occupies_slot"] else "Its place is free for another."
    return Confirmation(
        title="Undeploy this project?",
        back=here,
        action=f"{here}/{project['slug']}/undeploy",
        label="Undeploy",
        form=form,
        facts=(("Project", project["name"]),),
        effect=("It may no longer run until it is deployed again.", freed),
    )


def slots(
    answers: Mapping[str, Answer],
    quote: Mapping[str, Any] | None,
    payment_options: tuple[Option, ...],
    pick: FormState,
    pay: FormState,
    prefs: Prefs,
    here: str,
) -> Slots:
    """Return the page of slots for `limits` of the API, and `GET /billing/quote` once a number is chosen."""
    limits = answers["limits"]
    known = answered(limits)
    price = limits.body["slot_price"] if known else None
    owed = limits.body["slots"]["owed"] if known else 0
    currency, tax = (quote["currency"], quote["tax"]) if quote else ("", None)
    rate = quote["rate"] if quote else None
    by = pick.value("by") or (payment_options[0][0] if payment_options else "")
    # In coins it is worth as much at the rate of the moment.
    seen = (("total", quote["total"]),) if quote and not by.startswith(COIN) else ()
    return Slots(
        title="Buy slots",
        crumbs=(Link(label="Projects", href=here),),
        path=f"{here}/slots",
        pick=pick,
        pay=pay,
        payment_options=payment_options,
        price=amount(price["amount"], price["currency"], prefs) if price else None,
        goods=amount(str(quote["slots"]), "SLOT", prefs) if quote else None,
        subtotal=amount(quote["subtotal"], currency, prefs) if quote else None,
        tax=amount(tax["amount"], currency, prefs) if tax else None,
        tax_label=f"Tax, {percent(tax['rate'], prefs)}" if tax else "",
        total=amount(quote["total"], currency, prefs) if quote else None,
        rate=f"1 {currency} = {amount(rate['price'], rate['currency'], prefs)}" if rate else "",
        chosen=(("slots", pick.value("slots")), ("by", by), *seen),
        owed=f"{count(owed, prefs)} owed after a chargeback are repaid first." if owed else "",
        failed=None if known else Failed(title="Slots", request_id=limits.request_id, again=f"{here}/slots"),
    )
