"""Forms sent by whoever they are not offered to, and what the books hold before and after."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg

from console.forms import COMMAND, new_key
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.conftest import DatabaseUrls
from tests.console import limiting
from tests.console.table import PLATFORM
from tests.console.typed import FORMS
from tests.console.walking import FoundForm, route_of

#: What a request leaves, whatever becomes of it: when a session was last used, and the answer under its key.
NOT_WRITTEN = ("sessions", "idempotency_keys")
#: What else makes a form whole: a text that has to have a shape, and that everything was read again.
ALSO = {
    "/notifications/channels/{id}/verify": {"code": "000000"},
    "/{org}/disputes/{id}/evidence": {"sure": "on"},
    "/platform/disputes/{id}/evidence": {"sure": "on"},
}
#: Commands that are refused for the case and not for the role: this one is for operators too.
OF_THE_CASE = {"/{org}/alerts/{id}/resolve": 409}
#: Who with the role may sign or bring evidence is for the run to say, see `tests/e2e/test_console_forms.py`.
OF_RUNS = ("/{org}/escrows/{id}/approve", "/{org}/escrows/{id}/submit-evidence")


def filled_in(form: FoundForm, ids: Mapping[str, str], *, texts: bool = True) -> dict[str, str]:
    """Return a form as a browser sends it, under a key of its own; with `texts` nothing that it needs is missing."""
    fields = dict(form.sent)
    if texts:
        fields |= {each.name: "1" for each in form.controls if each.required and each.is_text and not each.value}
        route = route_of(form.action)
        fields |= ALSO.get(route, {})
        for each in (typed for typed in FORMS if typed.route == route):
            fields |= {name: text.replace("#", "1").format(**ids) for name, text in each.whole.items()}
    return fields | {COMMAND: new_key()}


def is_guarded(route: str, role: str) -> bool:
    """Tell whether the pages of a route are not there for a role."""
    return route.startswith("/platform/") and role not in PLATFORM


async def contents(urls: DatabaseUrls) -> dict[str, tuple[int, int]]:
    """Return of every table how many rows it has and a sum over what they hold."""
    connection = await asyncpg.connect(urls.owner.replace("+asyncpg", ""))
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> ALL($1) ORDER BY 1",
            NOT_WRITTEN,
        )
        counted = " UNION ALL ".join(
            f"SELECT '{each['name']}', count(*), coalesce(sum(hashtext(t::text)), 0)::bigint FROM {each['name']} t"
            for each in tables
        )
        return {name: (rows, content) for name, rows, content in await connection.fetch(counted)}
    finally:
        await connection.close()


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

    async def link(self) -> str:
        body = {"principal": "guest", "role": "member", "expires_in": "P1D"}
        return str(good(await self.tenant.owner.post("/sessions/links", body), 201)["id"])

    async def rule(self) -> str:
        name = {"name": new_key().lower().replace("-", "_")}
        return str(good(await self.tenant.owner.post("/alert-rules", limiting.RULE | name), 201)["id"])

    async def endpoint(self) -> str:
        return await limiting.endpoint(self.database, self.tenant.org_id)

    async def organization(self) -> str:
        return str(good(await self.operator.post("/organizations", {"name": new_key()}), 201)["id"])


_ENDPOINTS, _RULES = "/{org}/alerts/settings/endpoints/{id}", "/{org}/alerts/settings/rules/{id}"
FRESH: Mapping[str, Callable[[Making], Awaitable[str]]] = {
    **{f"/platform/organizations/{{id}}/{name}": Making.organization for name in ("close", "suspend", "tier")},
    **{f"{_ENDPOINTS}/{name}": Making.endpoint for name in ("delete", "pause", "rotate", "test")},
    **dict.fromkeys((_RULES, f"{_RULES}/delete", f"{_RULES}/switch"), Making.rule),
    "/platform/keys/{id}/revoke": Making.key,
    "/{org}/settings/keys/{id}/revoke": Making.key,
    "/{org}/settings/sessions/{id}/end": Making.session,
    "/{org}/settings/links/{id}/end": Making.link,
}
