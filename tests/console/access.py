"""Forms sent by whoever they are not offered to, and what the books hold before and after."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.forms import COMMAND, new_key
from console.nouns import ROUTES
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.conftest import DatabaseUrls
from tests.console import limiting, planted
from tests.console.table import PLATFORM
from tests.console.typed import FORMS
from tests.console.walking import FoundForm, route_of
from tests.support.connections import connected
from tests.support.pictures import png

#: What a request leaves, whatever becomes of it: when a session was last used, the answer under its key, and the entry
#: of a request for a secret that was refused.
NOT_WRITTEN = ("sessions", "idempotency_keys", "secret_access")
#: Whoever asks leaves the time at which a key was used last, whatever becomes of it.
_CONTENT = {"public.api_keys": "(to_jsonb(t) - 'last_used_at')::text"}
#: What else makes a form whole: a text that has to have a shape, and that everything was read again.
ALSO = {
    "/notifications/channels/{id}/verify": {"code": "000000"},
    "/{org}/escrows/{id}/deliver": {"deliver_note": "Done"},
    "/{org}/disputes/{id}/evidence": {"sure": "on"},
    "/{org}/reports/{id}/runs": {"period": "2026-W13"},
    "/platform/reports/{id}/runs": {"period": "2026-W13"},
    "/platform/disputes/{id}/evidence": {"sure": "on"},
    "/platform/risk/cases/{id}/decide": {"result": "release", "reason": "Known"},
}
#: Commands that are refused for the case and not for the role: operators resolve alerts, and agree for nobody.
OF_THE_CASE = {"/{org}/alerts/{id}/resolve": 409, "/{org}/analytics/peers/consent": 422}
#: The object of `conftest.py` on which a command of a noun is forced.
OBJECTS = {
    "agents": "own_agent",
    "allocations": "allocation",
    "cards": "card",
    "contracts": "contract",
    "differences": "difference",
    "disputes": "chargeback",
    "endpoints": "endpoint",
    "escrows": "escrow",
    "events": "event",
    "invoices": "invoice",
    "keys": "key",
    "library": "purchase",
    "limits": "control",
    "links": "link",
    "marketplace": "offered",
    "payment-policies": "policy",
    "free-options": "option",
    "methods": "method",
    "purchases": "purchase_order",
    "revenue": "revenue",
    "organizations": "organization",
    "payments": "payment",
    "people": "person",
    "departments": "department",
    "pricing": "rule",
    "projects": "project",
    "reports": "report",
    "exports": "export",
    "rules": "alert_rule",
    "cases": "risk_case",
    "decisions": "risk_decision",
    "reviews": "risk_case",
    "sessions": "session",
    "secrets": "secret",
    "grants": "secret_grant",
}
#: Who with the role may sign, dispute or bring evidence is for the run to say, see `tests/e2e/test_console_forms.py`.
OF_RUNS = tuple(f"/{{org}}/escrows/{{id}}/{act}" for act in ("approve", "dispute", "submit-evidence"))
#: Offered to whoever has notifications that were not read, whatever the role.
OF_READERS = ("/notifications/read",)


def filled_in(form: FoundForm, ids: Mapping[str, str], *, texts: bool = True) -> dict[str, Any]:
    """Return a form as a browser sends it, under a key of its own; with `texts` nothing that it needs is missing."""
    fields = dict(form.sent) | {each.name: png() for each in form.controls if each.kind == "file"}
    if texts:
        fields |= {each.name: "1" for each in form.controls if each.required and each.is_text and not each.value}
        return fields | typed_in(route_of(form.action), ids)
    return fields | {COMMAND: new_key()}


def commands() -> list[str]:
    """Return every route of a command for an organization or the platform; settings of one's own are left out."""
    paths = (route.path for route in ROUTES if "POST" in (route.methods or ()))
    return [path for path in paths if path.startswith(("/platform/", "/{org}/"))]


def address_of(route: str, ids: Mapping[str, str]) -> str:
    """Return the address of a command on the object of its noun, or on one that is not there."""
    noun = route.partition("/{id}")[0].rpartition("/")[2]
    return "/console" + route.format(org=ids["org"], id=ids.get(OBJECTS.get(noun, ""), f"{noun}_none"))


def typed_in(route: str, ids: Mapping[str, str]) -> dict[str, str]:
    """Return what makes the form of a route whole, under a key of its own."""
    fields = dict(ALSO.get(route, {}))
    for each in (typed for typed in FORMS if typed.route == route):
        fields |= {name: text.replace("#", "1").format(**ids) for name, text in each.whole.items()}
    return fields | {COMMAND: new_key()}


def is_guarded(route: str, role: str) -> bool:
    """Tell whether the pages of a route are not there for a role."""
    # What operators order is of all organizations, and so on the platform's pages alone.
    return route == "/{org}/exports" if role in PLATFORM else route.startswith("/platform/")


async def contents(urls: DatabaseUrls) -> dict[str, tuple[int, int]]:
    """Return of every table how many rows it has and a sum over what they hold."""
    async with connected(urls.owner.replace("+asyncpg", "")) as connection:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> ALL($1) ORDER BY 1",
            NOT_WRITTEN,
        )
        counted = " UNION ALL ".join(
            f"SELECT '{name}', count(*), coalesce(sum(hashtext({whole})), 0)::bigint FROM {name} t"
            for name, whole in ((each["name"], _CONTENT.get(each["name"], "t::text")) for each in tables)
        )
        return {name: (rows, content) for name, rows, content in await connection.fetch(counted)}


#: Two price rules of one priority may not hold at one time.
PRIORITIES = itertools.count(7_701)


@dataclass(frozen=True)
class Making:
    """Makes objects that a command uses up, one for each who gives it."""

    operator: Caller
    tenant: Tenant
    database: Database

    async def of_its_own(self, route: str, action: str) -> str:
        """Return the address of the command on an object that nobody else is given."""
        made = await FRESH[route](self)
        places = zip(route.split("/"), action.removeprefix("/console").split("/"), strict=True)
        return "/console" + "/".join(made if name == "{id}" else part for name, part in places)

    async def key(self) -> str:
        body = {"principal": new_key(), "role": "member"}
        return str(good(await self.tenant.owner.post("/api-keys", body), 201)["id"])

    async def session(self) -> str:
        return str(good(await self.tenant.owner.post("/sessions", {}), 201)["id"])

    async def department(self) -> str:
        return str(good(await self.tenant.owner.post("/departments", {"name": new_key()}), 201)["id"])

    async def person(self) -> str:
        body = {"email": f"{new_key().lower()}@acme.example", "role": "member"}
        return str(good(await self.tenant.owner.post("/invitations", body, key=new_key()), 201)["email"])

    async def link(self) -> str:
        body = {"principal": "guest", "role": "member", "expires_in": "P1D"}
        return str(good(await self.tenant.owner.post("/sessions/links", body), 201)["id"])

    async def rule(self) -> str:
        name = {"name": new_key().lower().replace("-", "_")}
        return str(good(await self.tenant.owner.post("/alert-rules", limiting.RULE | name), 201)["id"])

    async def report(self) -> str:
        return str(good(await self.tenant.owner.post("/reports", limiting.REPORT), 201)["id"])

    async def policy(self) -> str:
        subject = {"subject": {"type": "agent", "id": await self.agent()}}
        return str(good(await self.tenant.owner.ask("PUT", "/payment-policies", json=subject))["id"])

    async def option(self) -> str:
        body = {"name": new_key(), "category": "any"}
        return str(good(await self.tenant.owner.ask("PUT", "/free-options", json=body))["id"])

    async def method(self) -> str:
        body = {"name": f"m_{new_key().lower().replace('-', '_')}", "label": "Any", "kind": "other"}
        return str(good(await self.tenant.owner.ask("PUT", "/purchase-methods", json=body))["id"])

    async def purchase_order(self) -> str:
        body = {"agent_id": self.tenant.agent_id, **limiting.SMALL_ORDER}
        return str(good(await self.tenant.agent.post("/purchase-orders", body, key=new_key()), 201)["id"])

    async def revenue(self) -> str:
        body = {"source": "ads", "reference": new_key(), "amount": "1", "currency": "USD"}
        return str(good(await self.tenant.owner.post("/revenue", body, key=new_key()), 201)["id"])

    async def secret(self) -> str:
        name = new_key().lower()
        path = f"/secrets/access_credentials/{name}"
        good(await self.tenant.owner.ask("PUT", path, json=limiting.SECRET | {"kind": "other"}, key=new_key()))
        return f"access_credentials~{name}"

    async def secret_grant(self) -> str:
        grant = limiting.secret_grant(agent_id=self.tenant.agent_id)
        return str(good(await self.tenant.owner.post("/secrets/grants", grant, key=new_key()), 201)["id"])

    async def endpoint(self) -> str:
        return await limiting.endpoint(self.database, self.tenant.org_id)

    async def channel(self) -> str:
        body = {"kind": "mail", "address": f"{new_key().lower()}@acme.example"}
        return str(good(await self.tenant.owner.post("/notifications/channels", body), 201)["id"])

    async def agent(self) -> str:
        return str(good(await self.tenant.owner.post("/agents", {"name": new_key()}), 201)["id"])

    async def price(self) -> str:
        rule = planted.PRICE_RULE | {"name": new_key(), "priority": next(PRIORITIES)}
        return str(good(await self.operator.post("/pricing/rules", rule), 201)["id"])

    async def organization(self) -> str:
        return str(good(await self.operator.post("/organizations", {"name": new_key()}), 201)["id"])

    async def card(self) -> str:
        return await planted.card(self.database, self.tenant.org_id, self.tenant.agent_id)


_ENDPOINTS, _RULES = "/{org}/alerts/settings/endpoints/{id}", "/{org}/alerts/settings/rules/{id}"
FRESH: Mapping[str, Callable[[Making], Awaitable[str]]] = {
    **{f"/platform/organizations/{{id}}/{name}": Making.organization for name in ("close", "suspend", "tier")},
    **{f"{_ENDPOINTS}/{name}": Making.endpoint for name in ("delete", "pause", "rotate", "test")},
    **dict.fromkeys((_RULES, f"{_RULES}/delete", f"{_RULES}/switch"), Making.rule),
    **{f"/{whose}/reports/{{id}}/delete": Making.report for whose in ("{org}", "platform")},
    "/notifications/channels/{id}/remove": Making.channel,
    "/{org}/agents/{id}/retire": Making.agent,
    "/platform/pricing/{id}/end": Making.price,
    "/platform/keys/{id}/revoke": Making.key,
    "/{org}/departments/{id}/close": Making.department,
    **{f"/{{org}}/cards/{{id}}/{act}": Making.card for act in ("freeze", "unfreeze", "close")},
    "/{org}/payment-policies/{id}/delete": Making.policy,
    "/{org}/payment-policies/free-options/{id}/remove": Making.option,
    "/{org}/payment-policies/methods/{id}/remove": Making.method,
    "/{org}/purchases/{id}/refuse": Making.purchase_order,
    **{f"/{{org}}/returns/revenue/{{id}}/{act}": Making.revenue for act in ("confirm", "reject", "reverse", "share")},
    **{f"/{{org}}/secrets/{{id}}/{act}": Making.secret for act in ("destroy", "rotate")},
    "/{org}/secrets/grants/{id}/revoke": Making.secret_grant,
    "/{org}/people/{id}/revoke": Making.person,
    "/{org}/settings/keys/{id}/revoke": Making.key,
    "/{org}/settings/sessions/{id}/end": Making.session,
    "/{org}/settings/links/{id}/end": Making.link,
}
