"""Contracts: the list and one contract, with the commands that accept it and open its escrow."""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.responses import Response

from console.contract import award
from console.forms import read_form
from console.gateway import Answer, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import amount, pick, search, tab
from console.routing import COMMAND
from console.status import status_of
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission
from domain.common.ids import escrow_id_of
from domain.escrow.contract import ContractStatus

#: The most that the API lists at once.
_MOST = 200
_TABS = (("", N_("All")), *((each.value, status_of("contract", each).word) for each in ContractStatus))

CONTRACTS = Noun(
    "/contracts",
    title=N_("Contracts"),
    folder="contract",
    name="title",
    change=Permission.AWARD,
    owners=("organization_id", "payee_org_id"),
)


def states_of(escrows: Answer) -> dict[str, str] | None:
    """Return the states of escrows by their contracts' ids; None if the answer does not hold all of them."""
    if not escrows.ok or escrows.body["next_cursor"] is not None:
        return None
    return {each["contract_id"]: each["status"] for each in escrows.body["data"]}


async def of_list(visit: Visit, found: ListResult) -> Json:
    """Return the rows, those without an escrow first, with the states of escrows and the agents that are visible."""
    if not found.rows:
        return {"states": None, "seen": ()}
    answers = await visit.ask_all(
        # An escrow is opened after its contract was awarded.
        escrows=(
            "/escrows",
            {"from": min(each["created_at"] for each in found.rows), "limit": _MOST, **visit.scope},
        ),
        # Agents of others can be private.
        agents=("/agents", {"id": sorted({each["agent_id"] for each in found.rows}), "limit": _MOST}),
    )
    states, agents = states_of(answers["escrows"]), answers["agents"]
    return {
        "rows": sorted(found.rows, key=lambda each: states is None or each["id"] in states),
        "states": states,
        "seen": {each["id"] for each in agents.body["data"]} if agents.ok else (),
    }


def of_page(visit: Visit) -> dict[str, Wanted]:
    visit.need(Permission.READ)
    return {"escrow": (f"/escrows/{escrow_id_of(visit.path('id'))}", {})}


async def of_contract(visit: Visit, it: Json, answers: Mapping[str, Answer]) -> Json:
    escrow = answers["escrow"]
    in_time = datetime.now(UTC) < datetime.fromisoformat(it["open_by"])
    is_payee = visit.org_id == it["payee_org_id"] and not visit.me.is_platform
    accepts = visit.may(Permission.ACCEPT) and is_payee and visit.me.agent_id in {None, it["agent_id"]}
    opens = visit.may(Permission.AWARD) and visit.org_id == it["organization_id"]
    has_none = escrow.status == 404
    return {
        "next": following(it, escrow, in_time=in_time),
        "accepts": accepts and it["status"] == ContractStatus.PROPOSED,
        "opens": opens and has_none and in_time and it["status"] == ContractStatus.ACCEPTED,
        "waits": has_none and it["status"] != ContractStatus.EXPIRED,
        "escrow": escrow,
        "is_seen": (await visit.ask(f"/agents/{it['agent_id']}")).ok,
    }


def following(contract: Json, escrow: Answer, *, in_time: bool) -> str:
    """Return what has to be done next."""
    match contract["status"]:
        case ContractStatus.PROPOSED:
            payee = contract["payee_name"]
            return _("%(payee)s has to accept the terms before an escrow can be opened.", payee=payee)
        case ContractStatus.EXPIRED:
            return _("The terms were not accepted in time. Hire the agent again, with other terms if needed.")
    if escrow.ok:
        return _("The escrow shows the status of the work.")
    if escrow.status == 404 and not in_time:
        return _("Its escrow was not opened in time. Hire the agent again.")
    if escrow.status == 404:
        payer = contract["payer_name"]
        return _("%(payer)s has to open its escrow and fund it. No money has moved.", payer=payer)
    return _("Both parties agree on the terms.")


async def open_escrow(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", "/escrows", {"contract_id": visit.path("id")}, form.key)
    path = f"{visit.base}/escrows/{escrow_id_of(visit.path('id'))}"
    return await visit.concluded(form, answer, path, "escrow.opened", show=CONTRACTS.show)


CONTRACTS.list(
    tab("status"),
    search(N_("Title")),
    pick("agent_id", N_("Agent")),
    pick("currency", N_("Currency")),
    amount("min_amount", N_("At least")),
    amount("max_amount", N_("At most")),
    days=True,
    tabs=_TABS,
    values=of_list,
    others=True,
    create="",
)
CONTRACTS.page(extra=of_page, values=of_contract)
CONTRACTS.command("accept", "contract.accepted", path="/acceptance")
CONTRACTS.add("/contracts/{id}/open", open_escrow, *COMMAND)
CONTRACTS.add("/escrows/new", award.show)
CONTRACTS.add("/escrows/new", award.give, *COMMAND)
ROUTES = CONTRACTS.routes
