"""Alert rules, below the alerts: listed, created, changed, switched, deleted or reset."""

from dataclasses import replace

from starlette.responses import Response

from console import lists, picker
from console.alert.kinds import title_of
from console.alert_rule import terms
from console.forms import FormState, blank, corrected, read_form
from console.gateway import Answer, Wanted
from console.noun import Json, Noun
from console.noun_page import FormPage, ObjectPage
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


def named(rule: Json) -> str:
    return title_of(rule["name"]) if rule["built_in"] else str(rule["name"])


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the rules that every organization has, and those that were written."""
    answer = await visit.ask(RULES.path, **visit.scope)
    rows = answer.body["data"] if answered(answer) else ()
    naming, here = await visit.naming(rows, "filter"), RULES.listed(visit)
    crumbs = RULES.crumbs(visit, of_list=True)
    page = ObjectPage(title=_("Alert rules"), crumbs=crumbs, here=here, form=form or blank())
    values = {"rows": rows, "answer": answer, "named": named, "fires": lambda rule: terms.words(rule, naming)}
    return await visit.show("alert_rule/list.html", page, values, status)


def _channels(mine: Answer, form: FormState) -> tuple[tuple[str, str, str], ...]:
    """Return the channels that can be chosen: the reader's own, and those of others that the rule has."""
    own = {
        each["id"]: (each["id"], each["target"], each["kind"].capitalize())
        for each in (mine.body["data"] if mine.ok else ())
        if each["status"] == ChannelStatus.VERIFIED
    }
    others = (each for each in form.lists.get(terms.CHANNELS, ()) if each not in own)
    return (*own.values(), *((each, each, _("Of another person")) for each in others))


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the form of a new rule, or of the one in the address."""
    is_new, may_change = "id" not in visit.request.path_params, visit.may(Permission.MANAGE_ALERT_RULES)
    wanted: dict[str, Wanted] = {} if is_new else {"it": (RULES.own(visit), visit.scope)}
    if is_new:
        visit.need(Permission.MANAGE_ALERT_RULES)
    answers = await visit.ask_all(metrics=(f"{RULES.path}/metrics", {}), channels=_OWN, **wanted)
    metrics, rule = answers["metrics"].need()["data"], {} if is_new else visit.owned(answers["it"].need())
    built_in = bool(rule and rule["built_in"])
    # A box that is not ticked is not sent, and is no empty field.
    kept = replace(form, values={"enabled": "off", **form.values}) if form else None
    shown = kept or (
        terms.typed(rule) if rule else blank(severity="warning", enabled="on", window="1d", cool_down="1h")
    )
    page = FormPage(
        title=named(rule) if rule else _("Create alert rule"),
        crumbs=RULES.crumbs(visit),
        action=visit.request.url.path,
        form=shown,
        label=_("Edit rule") if rule else _("Create rule"),
        # A rule that the reader cannot write says itself when it fires.
        lead=terms.words(rule, await visit.naming([rule], "filter")) if built_in or not may_change else "",
        choices=await lists.choices(visit, terms.PICKED, shown) if may_change and not built_in else {},
    )
    values = {
        "metrics": metrics,
        "providers": tuple((name, company(name)) for name in ("stripe", "paypal", "crypto")),
        "figures": tuple((each["name"], terms.figure(each["name"])) for each in metrics),
        "roles": terms.callable_by(platform=visit.me.is_platform),
        "channels": _channels(answers["channels"], shown),
        "steps": terms.steps_of(shown),
        "is_new": is_new,
        "built_in": built_in,
        "remove": f"{RULES.here(visit)}/delete" if may_change and rule and rule["created_at"] is not None else "",
    }
    return await visit.show("alert_rule/set.html", page, values, status)


async def save(visit: Visit) -> Response:
    """Create a rule, or replace one; of a built-in one, whether it is on, its severity and its recipients."""
    is_new = "id" not in visit.request.path_params
    names = (*(("name",) if is_new else ()), *terms.FIELDS, *terms.CALLED_FIELDS)
    form = await read_form(visit.request, *names, many=(terms.CHANNELS,))
    form, errors = await picker.resolved(visit, form, terms.PICKED)
    if errors:
        return await show_one(visit, corrected(form, errors), 422)
    if is_new:
        body = {"name": form.text("name"), **terms.rule(form), **visit.scope}
        answer = await visit.command("POST", RULES.path, body, form.key)
    else:
        body = terms.switch(form) if (await RULES.find(visit))["built_in"] else terms.rule(form)
        answer = await visit.command("PUT", RULES.own(visit), body, form.key, query=visit.scope)
    notice, after = "rule.written" if is_new else "rule.changed", RULES.listed(visit)
    return await visit.concluded(form, answer, after, notice, show=show_one, names=terms.names_in(form))


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
for _path in (f"{RULES.at}/new", RULES.one):
    RULES.add(_path, show_one)
    RULES.add(_path, save, *COMMAND)
RULES.add(f"{RULES.one}/switch", switch, *COMMAND)
RULES.question(
    "delete",
    "rule.deleted",
    title=N_("Delete this rule?"),
    label=N_("Delete rule"),
    effect=(N_("Its metric is no longer watched. Its open alerts are resolved."),),
    values=_of_deletion,
    method="DELETE",
    query=lambda visit: visit.scope,
)
ROUTES = RULES.routes
