"""OpenAPI document, the source of generated clients: its names are as stable as its paths.

An operation is `tag.verb`: the tag is the last one of its route and names a resource, the verb is the handler's name
without the resource. `list_api_keys` of `api_keys` is `api_keys.list`. A route sets `operation_id="…"` for another
verb. Of several paths of one handler all but one are `deprecated`, with the tag `aliases`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import errors, openapi_examples, openapi_responses
from api.v1.events.schemas import webhooks

ALIASES = "aliases"

#: Tags in the order of the document.
TAGS: dict[str, str] = {
    "organizations": "Tenants, which pay and are paid, and which have keys and contacts.",
    "api_keys": "Keys of principals, each with a role; a secret is shown once.",
    "sessions": "Signing in: sessions instead of keys, and the caller's identity.",
    "principals": "Who can act for an organization; people are invited by mail, and sign in by mail.",
    "session_links": "Links that open a session for another person.",
    "cards": "Cards that agents pay with, and their payments.",
    "departments": "Parts of an organization whose spending is counted and limited separately.",
    "projects": "Projects, their deployments, and the slots that deployments use.",
    "agents": "Agents that work for pay, and the organizations that own them.",
    "contracts": "Jobs that are awarded to an agent: price, signatories, deadlines, milestones.",
    "escrows": "Money of a contract that is held until the work is released, refunded, split or cancelled.",
    "tasks": "Work that waits for the caller, by its deadline.",
    "billing": "The balances of an organization, and every movement of them.",
    "credits": "Granting, holding and using credits.",
    "grants": "Credits that were granted, with ids and metadata of your own.",
    "costs": "Prices of actions in credits.",
    "auto_topups": "Credits that are bought automatically when few are left.",
    "budgets": "Pools of money that agents may spend.",
    "allocations": "How budgets of projects are divided among their agents, night by night.",
    "trials": "Amounts that agents get in stages, as long as their results are not below a bar.",
    "spend_controls": "Limits of spending in a window of time: by organization, department, project, agent or key.",
    "purchase_orders": "Purchases that agents want to make outside, the decisions on them, and their payments.",
    "payment_policies": "Rules by which agents buy outside: free first, methods, vendors, caps, approval.",
    "free_options": "The catalogue of free options that agents look at before they buy.",
    "purchase_methods": "Methods with which an organization pays outside, as it declares them.",
    "secrets": "Values that are used without being shown, and the log of access to them.",
    "secret_grants": "Who may use or read secrets, where, and how often.",
    "usage": "Metered usage: events that are sent, rated and summed up.",
    "meters": "Meters: usage of agents that is agreed first and charged as it is reported.",
    "risk": "Decisions against fraud, their rules and lists, and cases that hold or review acts.",
    "routing": "The choice of a model or agent for a call, its probabilities, and the outcomes.",
    "economics": "The log of agents' purchases, usage, earnings and refusals, and the costs and value of models.",
    "results": "How well the work of runs and tasks turned out.",
    "revenue": "Revenue of agents, how it is shared, and its return on their costs.",
    "exports": "Many rows, written into files in the background.",
    "exchange_rates": "Rates by which limits in one currency count spending in another.",
    "payments": "Payments by card, bank, PayPal or coins, and their refunds.",
    "topups": "Buying credits.",
    "credit_packages": "Packages of credits with prices of their own.",
    "chargebacks": "Payments that a payer disputes at the bank, and the answers to that.",
    "customers": "The organization as a customer of the payment provider.",
    "payment_methods": "Methods with which an organization pays.",
    "plans": "Plans that can be subscribed to.",
    "entitlements": "The limits of the organization's plan.",
    "subscriptions": "The subscription of an organization to a plan.",
    "billing_profile": "Name, address and tax numbers for invoices.",
    "billing_terms": "How an organization is billed: currency, days, time to pay.",
    "tax_rates": "Rates of tax by country and region.",
    "invoices": "Invoices, their lines, documents, payments and credit notes.",
    "invoice_items": "Items of the next invoice besides the plan and usage.",
    "billing_runs": "Runs that invoice every organization for a period.",
    "marketplace": "Agents for sale, and the library of purchased ones.",
    "pricing": "Current prices of agents' work, and quotes that keep a price.",
    "pricing_rules": "Rules that change prices by demand, reputation, time or volume.",
    "risk_rules": "Rules against fraud, their versions, backtests and activation.",
    "risk_list_items": "Entities that are always allowed or always blocked.",
    "risk_decisions": "Decisions on acts, with what they saw, and their labels.",
    "reputation": "Scores of agents and clients, their evidence, and the levels that they give.",
    "referrals": "Organizations that another one referred, and the credits for that.",
    "creators": "Earnings of creators by their agents.",
    "connected_accounts": "Accounts to which creators are paid out.",
    "earnings": "Credits that agents earned, and turning them into credits to spend.",
    "payouts": "Earnings that are paid out.",
    "statements": "Monthly statements of creators.",
    "events": "Every fact, as an event of one outbox.",
    "changes": "Changes since the last read, as marks and as a stream.",
    "webhook_endpoints": "Addresses of tenants that events are sent to, signed.",
    "notifications": "Messages to people, their channels, and each person's choices.",
    "notification_defaults": "How soon each role is notified of each type by default.",
    "mail_suppressions": "Addresses that get no mail.",
    "alerts": "Cases that need a person's attention.",
    "alert_rules": "When an alert is raised, and who is called.",
    "reports": "Figures of each day, week, month or quarter, as files.",
    "approvals": "Actions that a second operator has to approve.",
    "audit": "Who changed what.",
    "reconciliation": "Our books compared with the providers'.",
    "accounting": "Trial balance, profit and loss, balance sheet, journal.",
    "series": "Figures over time, for charts.",
    "analytics": "Metrics by time and dimension, forecasts, advice, and comparisons.",
    "names": "Names of objects, by their ids.",
    "search": "Finding by id, external id, number or name, and where a customer's money is.",
    "webhooks": "Webhooks that providers send here.",
    "health": "Liveness, readiness and metrics of the process.",
    ALIASES: "Older paths of operations, for clients that were written for them. New clients use the others.",
}


def operation_id(route: APIRoute) -> str:
    """Return the operation id of a route, unless the route sets it."""
    tag = str(route.tags[-1])
    if tag == ALIASES:
        (method,) = route.methods or {""}
        return f"{ALIASES}.{_words(method, route.path.removeprefix('/api/v1'))}"
    return f"{tag}.{_verb(route.name, tag)}"


def _words(*parts: str) -> str:
    return re.sub("[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")


def _verb(name: str, tag: str) -> str:
    """Return a handler's name without the resource: `create` for `create_api_key`, `get_pdf` for `get_invoice_pdf`."""
    for noun in (tag, tag.rpartition("_")[2]):
        singular = f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")
        rest = re.sub(rf"_(?:{noun}|{singular})(?![a-z])", "", name)
        if rest != name:
            return rest
    return name


def tag_of(tags: Sequence[object], *, is_alias: bool) -> str:
    """Return the tag of a route: the last one, or `aliases` for an alternative path."""
    return ALIASES if is_alias else str(tags[-1])


def install(app: FastAPI, server: str) -> None:
    """Install the completed document, with the server's URL."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            errors.document(document)
            name_by_titles(document)
            _leave_out_defaults(document)
            _leave_out_null(document)
            openapi_responses.complete(document)
            openapi_examples.add(document)
            document["servers"] = [{"url": server, "description": "The API."}]
            used = {tag for methods in document["paths"].values() for each in methods.values() for tag in each["tags"]}
            document["tags"] = [{"name": tag, "description": text} for tag, text in TAGS.items() if tag in used]
            document["webhooks"] = webhooks()
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


_SCHEMAS = "#/components/schemas/"


def name_by_titles(document: dict[str, Any]) -> None:
    """Rename each schema to its title, the class name: pydantic's name of `EscrowPage` is `Page_EscrowView_`.

    Raises:
        ValueError: two schemas have the same title.
    """
    schemas = document["components"]["schemas"]
    names = {name: str(schema.get("title", name)) for name, schema in schemas.items()}
    if len(set(names.values())) < len(names) or any("__" in name for name in names):
        twice = sorted(name for name, title in names.items() if "__" in name or list(names.values()).count(title) > 1)
        raise ValueError(f"Two schemas of the API have one name. Rename one of {', '.join(twice)}.")
    document["components"]["schemas"] = {
        title: schemas[name] for name, title in sorted(names.items(), key=itemgetter(1))
    }
    for node in _objects(document):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = _SCHEMAS + names[node["$ref"].removeprefix(_SCHEMAS)]


def _leave_out_defaults(document: dict[str, Any]) -> None:
    """Move defaults of bodies to descriptions, because generated clients send declared defaults.

    A sent field counts as chosen, and can be refused in combination (`hosted` without `provider`).
    """
    bodies = [
        operation["requestBody"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    for schema in _reached(bodies, document["components"]["schemas"]):
        default = schema.pop("default", None)
        if default not in (None, "", [], {}):
            text = schema.get("description", "").rstrip()
            schema["description"] = f"{text} Default: {json.dumps(default)}.".strip()


def _leave_out_null(document: dict[str, Any]) -> None:
    """Remove null from parameters, which are left out instead."""
    for methods in document["paths"].values():
        for parameter in (each for operation in methods.values() for each in operation.get("parameters", ())):
            schema = parameter["schema"]
            kept = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
            if len(kept) == 1:
                del schema["anyOf"]
                parameter["schema"] = {**kept[0], **schema}


def _reached(nodes: list[Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every object below the nodes, and below referenced schemas."""
    waiting, seen = list(nodes), set[str]()
    while waiting:
        for node in _objects(waiting.pop()):
            yield node
            name = str(node.get("$ref", "")).removeprefix(_SCHEMAS)
            if name in schemas and name not in seen:
                seen.add(name)
                waiting.append(schemas[name])


#: Members of a schema whose values are not schemas.
_VALUES = frozenset({"default", "example", "examples", "enum", "const"})


def _objects(node: Any, *, named: bool = False) -> Iterator[dict[str, Any]]:
    """Yield every object of a document, except values and tables of `properties`."""
    if isinstance(node, list):
        for part in node:
            yield from _objects(part)
    elif isinstance(node, dict):
        if not named:
            yield node
        for key, part in node.items():
            if named or key not in _VALUES:
                yield from _objects(part, named=not named and key == "properties")
