"""Payment policies: listed, set for the organization, a project or an agent, changed and deleted."""

from typing import Any

from console.forms import Form, FormState, blank, period, period_typed, written
from console.lists import ListResult
from console.noun import Json, Noun
from console.payment_policy.entries import tabs
from console.spend_control.subjects import called, sources, tabs as subject_tabs
from console.texts import N_, _
from console.visit import Visit
from domain.budgets.policy import MAX_NAMES, MethodKind
from domain.common.access import Permission
from domain.common.money import COINS

_PATH = "/payment-policies"
_KINDS = ("organization", "project", "agent")
AMOUNTS = ("free_first_above", "per_purchase", "approval_above", "two_persons_above")
_LISTS = tuple((what, how) for what in ("vendors", "categories") for how in ("allowed", "refused"))
_CRYPTO = ("crypto_primary", "crypto_reasoning", "crypto_wallet_creation")
#: Fields for a choice each: methods in their order, and coins after the preferred one.
_METHODS = tuple(f"method_{number}" for number in range(1, len(MethodKind) + 1))
_FALLBACKS = tuple(f"crypto_fallback_{number}" for number in range(1, len(COINS) + 1))
_SUBJECT = ("subject", "subject_id", "version")
#: The fields of what a policy says.
FIELDS = (
    *("currency", "free_first", "answer_within", *_METHODS, *_FALLBACKS),
    *(*AMOUNTS, *_CRYPTO, *(f"{what}_{how}" for what, how in _LISTS)),
)


def policy(form: Form) -> dict[str, Any]:
    """Return what was typed as the API takes it; what it does not know as it was typed, so that it refuses."""
    body: dict[str, Any] = {name: form.maybe_number(name) for name in AMOUNTS}
    for what, how in _LISTS:
        lines = [line.strip() for line in form.text(f"{what}_{how}").splitlines()]
        body.setdefault(what, {})[how] = [line for line in lines if line]
    return {
        **body,
        "subject": {"type": form.text("subject"), "id": form.maybe("subject_id")},
        # Without a version it is new: there must be none yet.
        "version": form.maybe_whole("version") if "version" in form.values else 0,
        "currency": form.text("currency"),
        "free_first": form.text("free_first"),
        "methods": _chosen(form, _METHODS),
        "answer_within": period(form.text("answer_within")),
        "crypto": {
            "primary": form.maybe("crypto_primary"),
            "fallbacks": _chosen(form, _FALLBACKS),
            "reasoning": form.maybe("crypto_reasoning"),
            "wallet_creation": form.text("crypto_wallet_creation"),
        },
    }


def typed(found: Json) -> dict[str, str]:
    """Return the values of the form that changes a policy."""
    crypto, subject = found["crypto"], found["subject"]
    values = {name: written(found[name]) for name in AMOUNTS if found[name] is not None}
    values |= {f"{what}_{how}": "\n".join(found[what][how]) for what, how in _LISTS}
    return {
        **values,
        **{"subject": subject["type"], "subject_id": subject["id"] or "", "version": str(found["version"])},
        "currency": found["currency"],
        "free_first": found["free_first"],
        **dict(zip(_METHODS, found["methods"], strict=False)),
        **dict(zip(_FALLBACKS, crypto["fallbacks"], strict=False)),
        "answer_within": period_typed(found["answer_within"]),
        "crypto_primary": crypto["primary"] or "",
        "crypto_reasoning": crypto["reasoning"] or "",
        "crypto_wallet_creation": crypto["wallet_creation"],
    }


def _chosen(form: Form, names: tuple[str, ...]) -> list[str]:
    return [form.text(name) for name in names if form.text(name)]


_NAMES = {"subject.id": "subject_id", "subject.type": "subject", "crypto": "crypto_primary"}
_NAMES |= {"methods": _METHODS[0], "crypto.fallbacks": _FALLBACKS[0]}
_NAMES |= {f"methods.{number}": name for number, name in enumerate(_METHODS)}
_NAMES |= {f"crypto.fallbacks.{number}": name for number, name in enumerate(_FALLBACKS)}
_NAMES |= {f"{what}.{how}.{number}": f"{what}_{how}" for what, how in _LISTS for number in range(MAX_NAMES)}


async def _effective(visit: Visit) -> Json:
    found: Json = (await visit.ask(f"{_PATH}/effective", **visit.scope)).need()
    return found


async def begins(visit: Visit) -> FormState:
    """Begin with what holds for the organization: its policy, or the default."""
    found, chosen = await _effective(visit), visit.chosen("subject").get("subject", "")
    # The organization's own is changed where it stands in the list.
    usual = "organization" if found["id"] is None else "project"
    subject = {"subject": chosen if chosen in _KINDS else usual, "subject_id": ""}
    return blank(**{name: value for name, value in typed(found).items() if name != "version"} | subject)


async def of_form(visit: Visit, form: FormState, it: Json) -> Json:
    if it:
        return {"called": called}
    is_first = (await _effective(visit))["id"] is None
    kinds = [each for each in _KINDS if is_first or each != "organization"]
    subjects = subject_tabs(f"{visit.base}{_PATH}/new", form, kinds)
    return {"is_first": is_first, "subjects": subjects}


async def of_list(_visit: Visit, _found: ListResult) -> Json:
    return {"called": called}


POLICIES = Noun(
    _PATH, title=N_("Payment policies"), folder="payment_policy", change=Permission.MANAGE_SPENDING, name="id"
)
POLICIES.list(around=tabs, values=of_list)
POLICIES.form(
    "new",
    "policy.set",
    *_SUBJECT[:2],
    *FIELDS,
    title=N_("Create policy"),
    lead=N_("The most specific policy applies: agent, then project, then organization."),
    body=policy,
    sources=sources,
    values=of_form,
    begins=begins,
    names=_NAMES,
    method="PUT",
)
POLICIES.form(
    "change",
    "policy.changed",
    *_SUBJECT,
    *FIELDS,
    title=N_("Edit policy"),
    label=N_("Save policy"),
    lead=N_("The change applies to purchases from now on."),
    body=policy,
    values=of_form,
    initial=typed,
    names=_NAMES,
    method="PUT",
    to=_PATH,
)
POLICIES.question(
    "delete",
    "policy.deleted",
    title=N_("Delete this policy?"),
    label=N_("Delete policy"),
    effect=(N_("The next policy up applies: the project's, the organization's, or the default."),),
    facts=lambda it: ((_("For"), called(it["subject"])),),
    method="DELETE",
)
ROUTES = POLICIES.routes
