"""What the page of stored payment methods shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.charts import Meter
from console.format import Prefs, count, titled
from console.forms import FormState, blank
from console.gateway import Answer
from console.payment.view import PROVIDERS
from console.problems import answered
from console.widgets import External, Failed, FormPage, Link, Page, external

_BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "jcb": "JCB"}
#: What payment methods of Stripe are called.
TYPES = {"card": "Card", "us_bank_account": "Bank account", "sepa_debit": "Direct debit", "paypal": "PayPal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One stored method; `expires` is empty for what is no card."""

    name: str
    expires: str
    is_default: bool
    default_href: str
    remove_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods(FormPage):
    """The page. `add` leads to the provider, `form_here` to its form in a page of ours; empty if there is none.

    Attributes:
        outcomes: how many of the payments by each method succeeded lately.
    """

    path: str
    add: str
    form_here: str
    auto_topup: str
    instead: FormState
    forms: tuple[FormState, ...]
    methods: tuple[Method, ...]
    outcomes: tuple[Meter, ...]
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removing(FormPage):
    method: Method
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling(FormPage):
    """Stripe's own form. `secret` is empty until the form is opened, which makes a setup intent.

    Attributes:
        script: the address of Stripe's script.
        key: the publishable key.
        secret: the client secret of the setup intent.
        back: where Stripe leads afterwards.
        form: the command that opens it.
        instead: the command that leads to the provider's page.
    """

    path: str
    script: str
    key: str
    secret: str
    back: str
    instead: FormState
    add: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal(Page):
    portal: External
    refresh: str
    back: str


def words_of(method: Mapping[str, Any]) -> str:
    kind = method["brand"] or method["type"]
    name = _BRANDS.get(kind) or TYPES.get(kind) or titled(str(kind))
    return f"{name} ending in {method['last4']}" if method["last4"] else name


def method(found: Mapping[str, Any], path: str) -> Method:
    month, year = found["exp_month"], found["exp_year"]
    return Method(
        name=words_of(found),
        expires=f"{month:02}/{year}" if month and year else "",
        is_default=found["is_default"],
        default_href=f"{path}/{found['id']}/default",
        remove_href=f"{path}/{found['id']}/remove",
    )


def page(
    answer: Answer,
    payments: Answer,
    form: FormState,
    path: str,
    prefs: Prefs,
    *,
    may_change: bool,
    has_form: bool,
    forms: tuple[FormState, ...],
) -> Methods:
    """Return the page for `GET /billing/payment-methods`; `forms` has one for each method.

    `payments` has how many succeeded and failed, by provider and method.
    """
    # Nothing is stored where no provider that stores is set up.
    absent = answer.status == 404
    known = not absent and answered(answer)
    return Methods(
        title="Payment methods",
        path=path,
        add=f"{path}/add" if may_change and not absent else "",
        form_here=f"{path}/new" if may_change and not absent and has_form else "",
        auto_topup=path.removesuffix("/payment-methods") + "/auto-top-up",
        instead=blank(),
        forms=forms,
        form=form,
        methods=tuple(method(each, path) for each in answer.body["data"]) if known else (),
        outcomes=_outcomes(payments, prefs),
        failed=None if known or absent else Failed(title="Payment methods", request_id=answer.request_id, again=path),
    )


def _outcomes(answer: Answer, prefs: Prefs) -> tuple[Meter, ...]:
    found = list[tuple[int, Meter]]()
    for row in answer.body["rows"] if answer.ok else ():
        named = {each["metric"]: int(Decimal(each["value"] or 0)) for each in row["values"]}
        good, bad = named.get("payments.succeeded", 0), named.get("payments.failed", 0)
        if good + bad:
            label = _called(row["group"]["provider"] or "", row["group"]["method"])
            text = f"{count(good, prefs)} of {count(good + bad, prefs)}"
            found.append(
                (good + bad, Meter(label=label, text=text, width=f"{100 * good / (good + bad):.2f}", tone="c1"))
            )
    return tuple(meter for _, meter in sorted(found, key=lambda each: (-each[0], each[1].label)))


def _called(provider: str, method: str | None) -> str:
    """Return what people call a way to pay: its provider, or what Stripe takes."""
    if method is not None and provider == "stripe":
        return TYPES.get(method, titled(method.replace("_", " ")))
    return PROVIDERS.get(provider, titled(provider))


def removing(found: Mapping[str, Any], form: FormState, path: str) -> Removing:
    shown = method(found, path)
    return Removing(
        title=f"Remove {shown.name}",
        crumbs=(Link(label="Payment methods", href=path),),
        form=form,
        method=shown,
        action=shown.remove_href,
        back=path,
    )


def filling(script: str, key: str, secret: str, path: str, form: FormState) -> Filling:
    """Return the page of Stripe's form; see `Filling`."""
    return Filling(
        title="Add a payment method",
        crumbs=(Link(label="Payment methods", href=path),),
        path=f"{path}/new",
        script=script,
        key=key,
        secret=secret,
        back=f"{path}/return",
        form=form,
        instead=blank(),
        add=f"{path}/add",
    )


def portal(url: str, path: str) -> Portal:
    link = external("Go to the provider's page", url)
    return Portal(
        title="Payment methods at the provider",
        crumbs=(Link(label="Payment methods", href=path),),
        portal=link,
        refresh=f"1; url={link.href}" if link.host else "",
        back=path,
    )
