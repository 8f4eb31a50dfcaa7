"""The catalogue of free options: listed with what is used of their quotas, written and removed."""

from decimal import Decimal

from console.charts import Meter
from console.charts.rank import meter
from console.format import count
from console.forms import Form
from console.noun import Json
from console.payment_policy.entries import Entries
from console.reader import reader
from console.texts import N_, _, gettext

_FIELDS = ("name", "category", "address", "quota", "quota_window")
_NOW = {"day": N_("Today"), "week": N_("This week"), "month": N_("This month")}


def quota(option: Json) -> tuple[Meter, ...]:
    """Draw what is used of the quota of an option; nothing without one."""
    if option["quota"] is None:
        return ()
    used, most = (count(option[name], reader().prefs) for name in ("used", "quota"))
    words = _("%(used)s of %(quota)s used", used=used, quota=most)
    return (meter(gettext(_NOW[option["quota_window"]]), Decimal(option["used"]), Decimal(option["quota"]), words),)


def sent(form: Form) -> Json:
    named = {name: form.maybe(name) for name in ("name", "category", "address")}
    most = form.maybe_whole("quota")
    return {**named, "quota": most, "quota_window": form.maybe("quota_window") if most is not None else None}


OPTIONS = Entries("/free-options", "free-options", title=N_("Free options"), folder="free_option")
OPTIONS.declare(
    "option",
    *_FIELDS,
    create=N_("Create free option"),
    lead=N_("Agents see it before they buy something of its category."),
    save=N_("Save option"),
    remove=(N_("Remove this free option?"), N_("Remove option")),
    effect=N_("Agents no longer see it. Its counted uses are deleted."),
    body=sent,
    typed=lambda it: {name: str(it[name] or "") for name in _FIELDS},
    facts=((N_("Option"), "name"), (N_("Category"), "category")),
    names={},
    values={"quota": quota},
)
ROUTES = OPTIONS.routes
