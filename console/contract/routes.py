"""The pages of contracts, and the form whose steps award work, open its escrow and fund it."""

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.responses import Response

from console import lists
from console.contract import award, view
from console.format import decimal
from console.forms import Form, FormState, blank, corrected, read_form
from console.gateway import Answer, Refused
from console.problems import Reaction, reaction_to
from console.refusals import forbidden
from console.routing import COMMAND, console_of, tenant
from console.visit import Visit
from domain.common.access import Permission
from domain.common.ids import escrow_id_of
from domain.escrow.contract import ContractStatus

#: The most that the API lists at once.
_MOST = 200


async def show(visit: Visit) -> Response:
    found, escrows, seen = await lists.find(visit, "/contracts", *view.FILTERS, others=True), None, frozenset[str]()
    if found.rows:
        # An escrow is opened after its contract was awarded.
        oldest = min(each["created_at"] for each in found.rows)
        answers = await visit.ask_all(
            escrows=("/escrows", {"from": oldest, "limit": _MOST, **visit.scope}),
            # Agents of others can be private.
            agents=("/agents", {"id": sorted({each["agent_id"] for each in found.rows}), "limit": _MOST}),
        )
        escrows, agents = answers["escrows"], answers["agents"]
        seen = frozenset(each["id"] for each in agents.body["data"]) if agents.ok else seen
    new = f"{visit.base}/escrows/new"
    offered = new if visit.may(Permission.AWARD) else ""
    page = view.page(found, escrows, seen, visit.choices.prefs, f"{visit.base}/contracts", offered)
    return await visit.render("contract/list.html", page, found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    if not visit.may(Permission.READ):
        raise Refused(forbidden(visit.request))
    contract_id = visit.path("id")
    answers = await visit.ask_all(
        contract=(f"/contracts/{contract_id}", {}), escrow=(f"/escrows/{escrow_id_of(contract_id)}", {})
    )
    contract = visit.owned(answers["contract"].need(), "organization_id", "payee_org_id")
    is_payee = visit.org_id == contract["payee_org_id"] and not visit.me.is_platform
    accepts = visit.may(Permission.ACCEPT) and is_payee and visit.me.agent_id in {None, contract["agent_id"]}
    opens = visit.may(Permission.AWARD) and visit.org_id == contract["organization_id"]
    page = view.one(
        contract,
        answers["escrow"],
        form or blank(),
        visit.choices.prefs,
        visit.base,
        now=datetime.now(UTC),
        accepts=accepts,
        opens=opens,
        is_seen=(await visit.ask(f"/agents/{contract['agent_id']}")).ok,
    )
    return await visit.render("contract/page.html", page, status)


async def accept(visit: Visit) -> Response:
    form = await read_form(visit.request)
    contract_id = visit.path("id")
    answer = await visit.command("POST", f"/contracts/{contract_id}/acceptance", None, form.key)
    return await visit.concluded(
        form, answer, f"{visit.base}/contracts/{contract_id}", "contract.accepted", show=show_one
    )


async def open_escrow(visit: Visit) -> Response:
    form = await read_form(visit.request)
    contract_id = visit.path("id")
    answer = await visit.command("POST", "/escrows", {"contract_id": contract_id}, form.key)
    return await visit.concluded(
        form, answer, f"{visit.base}/escrows/{escrow_id_of(contract_id)}", "escrow.opened", show=show_one
    )


async def show_new(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the form that hires the agent that the address names; without one, lead to where it is chosen."""
    visit.need(Permission.AWARD)
    chosen = form.value("agent_id") if form else visit.chosen("agent").get("agent", "")
    if not chosen:
        return visit.done(f"{visit.base}/marketplace")
    settings = console_of(visit.request).settings
    defaults = {name: getattr(settings, name) for name in (*award.PERIODS, "dispute_default_payee_share")}
    answers = await visit.ask_all(agent=(_agent(chosen), {}), config=("/billing/config", {}))
    agent = answers["agent"].need()
    page = award.page(
        form or blank(**award.first(agent)),
        agent,
        answers["config"],
        visit.base,
        visit.choices.prefs,
        defaults,
        "" if visit.me.is_platform else visit.me.principal,
    )
    return await visit.render("contract/award.html", page, status)


def _agent(chosen: str) -> str:
    """Return where an agent is read; what is typed into an address goes no further than that."""
    return f"/agents/{quote(chosen, safe='')}"


async def give(visit: Visit) -> Response:
    """Award, open and fund: each step has a key of its own that follows from the form's, so all can be repeated."""
    form = await read_form(visit.request, *award.FIELDS)
    if not form.text("agent_id"):
        return visit.done(f"{visit.base}/marketplace")
    # What is paid from outside is confirmed on the page that follows.
    if form.text("fund") not in {"", "outside"} and form.text("confirmed") != "yes":
        try:
            decimal(form.number("price"))
        except ValueError:
            shown = corrected(form, {"price": "Write the price as a plain number, such as 50.00."})
            return await show_new(visit, shown, 422)
        agent = (await visit.ask(_agent(form.text("agent_id")))).need()
        settings, is_own = console_of(visit.request).settings, agent["organization_id"] == visit.org_id
        page = award.review(form, agent, settings, visit.base, visit.choices.prefs, is_own=is_own)
        return await visit.render("contract/review.html", page)
    made = await visit.command("POST", "/contracts", {**award.body(form), **visit.scope}, f"{form.key}.award")
    if not made.ok:
        return await visit.refused(form, made, show_new)
    contract = f"{visit.base}/contracts/{made.body['id']}"
    if made.body["status"] != ContractStatus.ACCEPTED:
        return visit.done(contract, "contract.proposed", made)
    opened = await visit.command("POST", "/escrows", {"contract_id": made.body["id"]}, f"{form.key}.open")
    if not opened.ok:
        return await _stopped(visit, form, opened, contract, "contract.not_opened")
    escrow = f"{visit.base}/escrows/{opened.body['id']}"
    source = form.text("fund")
    if source in {"", "outside"}:
        return visit.done(f"{escrow}/fund" if source else escrow, "escrow.opened", opened)
    funded = await visit.command("POST", f"/escrows/{opened.body['id']}/fund", {"source": source}, f"{form.key}.fund")
    if funded.ok:
        return visit.done(escrow, "escrow.funded", funded)
    return await _stopped(visit, form, funded, f"{escrow}/fund", "escrow.not_funded")


async def _stopped(visit: Visit, form: Form, answer: Answer, path: str, notice: str) -> Response:
    """Lead to what was made, where the next step can be given again; what is not known yet is asked again."""
    assert answer.problem is not None
    if reaction_to(answer.problem) in {Reaction.UNKNOWN, Reaction.WAIT}:
        return await visit.refused(form, answer, show_new)
    return visit.done(path, notice)


ROUTES = (
    tenant("/escrows/new", show_new),
    tenant("/escrows/new", give, COMMAND),
    tenant("/contracts", show),
    tenant("/contracts.csv", lists.file("/contracts", "contracts", *view.FILTERS)),
    tenant("/contracts/{id}", show_one),
    tenant("/contracts/{id}/accept", accept, COMMAND),
    tenant("/contracts/{id}/open", open_escrow, COMMAND),
)
