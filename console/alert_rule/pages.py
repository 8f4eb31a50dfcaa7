"""Alert rules, below the alerts: listed, created, changed, switched, deleted or reset."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from console import lists, picker
from console.alert.kinds import title_of
from console.alert_rule import terms
from console.forms import FormState, blank, corrected, read_form
from console.gateway import Answer, Wanted
from console.lists import Choice
from console.noun import FormPage, Json, Noun, ObjectPage
from console.payment.view import company
from console.problems import answered
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission
from domain.messages.notification.channel import ChannelStatus

#: The channels that a rule's author can name: their own.
_OWN: Wanted = ("/notifications/channels", {})


class _Rules(Noun):
    async def find(self, visit: Visit) -> Json:
        return visit.owned((await visit.ask(self.own(visit), **visit.scope)).need())


RULES = _Rules(
    "/alert-rules",
    title=N_("Alert rules"),
    folder="alert_rule",
    at="/alerts/settings/rules",
    above=((N_("Alerts"), "/alerts"),),
    change=Permission.MANAGE_ALERT_RULES,
)
_METRICS: Wanted = (f"{RULES.path}/metrics", {})


def named(rule: Json) -> str:
    return title_of(rule["name"]) if rule["built_in"] else str(rule["name"])


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the rules that every organization has, and those that were written."""
    answer = await visit.ask(RULES.path, **visit.scope)
    rows = answer.body["data"] if answered(answer) else ()
    naming, here = await visit.naming(rows, "filter"), RULES.listed(visit)
    crumbs = RULES.crumbs(visit, of_list=True)
    page = ObjectPage(title=_("Alert rules"), crumbs=crumbs, base=visit.base, here=here, form=form or blank())
    values = {"rows": rows, "answer": answer, "named": named, "fires": lambda rule: terms.words(rule, naming)}
    return await visit.show("alert_rule/list.html", page, values, status)


async def _choices(visit: Visit, form: FormState) -> dict[str, Choice]:
    """Return the agents and departments that a rule can be narrowed to."""
    return {
        name: await lists.choice(visit, noun, form.value(name), organization_id=visit.org_id)
        for name, noun in terms.PICKED.items()
    }


def _channels(mine: Answer, form: FormState) -> tuple[tuple[str, str, str], ...]:
    """Return the channels that can be chosen: the reader's own, and those of others that the rule has."""
    own = {
        each["id"]: (each["id"], each["target"], each["kind"].capitalize())
        for each in (mine.body["data"] if mine.ok else ())
        if each["status"] == ChannelStatus.VERIFIED
    }
    others = (each for each in form.lists.get(terms.CHANNELS, ()) if each not in own)
    return (*own.values(), *((each, each, _("Of another person")) for each in others))


async def _form(
    visit: Visit, title: str, label: str, form: FormState, metrics: Answer, mine: Answer, status: int, **more: Any
) -> Response:
    page = FormPage(
        title=title,
        crumbs=RULES.crumbs(visit),
        base=visit.base,
        action=visit.request.url.path.removesuffix("/switch"),
        form=form,
        label=label,
        lead=more.pop("fires", ""),
        choices=more.pop("choices", {}),
    )
    values = {
        "metrics": metrics.need()["data"],
        "providers": tuple((name, company(name)) for name in ("stripe", "paypal", "crypto")),
        "figures": tuple((each["name"], each["description"]) for each in metrics.need()["data"]),
        "roles": terms.callable_by(platform=visit.me.is_platform),
        "channels": _channels(mine, form),
        "steps": terms.steps_of(form),
        "is_new": False,
        "built_in": False,
        "remove": "",
    }
    return await visit.show("alert_rule/set.html", page, values | more, status)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_ALERT_RULES)
    answers = await visit.ask_all(metrics=_METRICS, channels=_OWN)
    first = form or blank(severity="warning", enabled="on", window="1d", cool_down="1h")
    more: dict[str, Any] = {"is_new": True, "choices": await _choices(visit, first)}
    title, label = _("Create alert rule"), _("Create rule")
    return await _form(visit, title, label, first, answers["metrics"], answers["channels"], status, **more)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, "name", *terms.FIELDS, *terms.CALLED_FIELDS, many=(terms.CHANNELS,))
    form, errors = await picker.resolved(visit, form, terms.PICKED)
    if errors:
        return await ask_to_create(visit, corrected(form, errors), 422)
    body = {"name": form.text("name"), **terms.rule(form), **visit.scope}
    answer = await visit.command("POST", RULES.path, body, form.key)
    names, after = terms.names_in(form), RULES.listed(visit)
    return await visit.concluded(form, answer, after, "rule.written", show=ask_to_create, names=names)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await visit.ask_all(it=(RULES.own(visit), visit.scope), metrics=_METRICS, channels=_OWN)
    found = visit.owned(answers["it"].need())
    may_change, built_in = visit.may(Permission.MANAGE_ALERT_RULES), found["built_in"]
    # A box that is not ticked is not sent, and is no empty field.
    shown = replace(form, values={"enabled": "off", **form.values}) if form else terms.typed(found)
    more: dict[str, Any] = {
        "built_in": built_in,
        "choices": await _choices(visit, shown) if may_change and not built_in else {},
        "remove": f"{RULES.here(visit)}/delete" if may_change and found["created_at"] is not None else "",
    }
    if built_in or not may_change:
        more["fires"] = terms.words(found, await visit.naming([found], "filter"))
    title, label = named(found), _("Edit rule")
    return await _form(visit, title, label, shown, answers["metrics"], answers["channels"], status, **more)


async def change(visit: Visit) -> Response:
    """Replace a rule; of a built-in one, whether it is on, its severity and its recipients."""
    form = await read_form(visit.request, *terms.FIELDS, *terms.CALLED_FIELDS, many=(terms.CHANNELS,))
    form, errors = await picker.resolved(visit, form, terms.PICKED)
    if errors:
        return await show_one(visit, corrected(form, errors), 422)
    body = terms.switch(form) if (await RULES.find(visit))["built_in"] else terms.rule(form)
    answer = await visit.command("PUT", RULES.own(visit), body, form.key, query=visit.scope)
    names, after = terms.names_in(form), RULES.listed(visit)
    return await visit.concluded(form, answer, after, "rule.changed", show=show_one, names=names)


async def switch(visit: Visit) -> Response:
    """Switch a rule on or off; the rest of it stays."""
    form = await read_form(visit.request, "enabled")
    body = {**terms.kept(await RULES.find(visit)), "enabled": form.text("enabled") == "on"}
    answer = await visit.command("PUT", RULES.own(visit), body, form.key, query=visit.scope)
    notice = "rule.on" if body["enabled"] else "rule.off"
    return await visit.concluded(form, answer, RULES.listed(visit), notice, show=show)


async def _of_deletion(visit: Visit, rule: Json) -> Json:
    fires = terms.words(rule, await visit.naming([rule], "filter"))
    page = {"back": RULES.here(visit), "facts": ((_("Rule"), named(rule)), (_("Fires when"), fires))}
    if not rule["built_in"]:
        return page
    effect = _("The rule is enabled with its default severity and channels.")
    return page | {"title": _("Reset this rule?"), "label": _("Reset"), "effect": (effect,)}


RULES.add(RULES.at, show)
RULES.add(f"{RULES.at}/new", ask_to_create)
RULES.add(f"{RULES.at}/new", create, *COMMAND)
RULES.add(RULES.one, show_one)
RULES.add(RULES.one, change, *COMMAND)
RULES.add(f"{RULES.one}/switch", switch, *COMMAND)
RULES.question(
    "delete",
    "rule.deleted",
    title=N_("Delete this rule?"),
    label=N_("Delete rule"),
    effect=(N_("Its metric is no longer watched. Its open alerts are resolved."),),
    values=_of_deletion,
    method="DELETE",
    path="",
    query=lambda visit: visit.scope,
)
ROUTES = RULES.routes
