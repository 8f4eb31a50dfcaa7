"""The agents and contracts of `FakeBursar`: an organization awards contracts to agents of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from bursar.testing._answers import (
    CREDIT,
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    invalid,
    known,
    positive,
    principal_of,
    required,
    text_of,
    time_of,
)
from bursar.testing._lists import Filters, page_of
from bursar.testing._written import Written

_NAME = "Fake"
_AGENTS = Filters.of(
    *("organization_id", "visibility", "category", "external_id"),
    searched=("name", "description"),
    ended={"active": "retired_at"},
)
_CONTRACTS = Filters.of(
    *("organization_id", "agent_id", "status", "currency", "external_id"), searched=("title",), amount="price"
)
#: What a contract says where its request does not.
_TERMS = {
    "validation_threshold": "0.80",
    "operator_approvals": True,
    "fund_within": "P3D",
    "deliver_within": "P7D",
    "review_period": "P3D",
    "evidence_period": "P3D",
    "decision_period": "P4D",
    "default_grace": "P1D",
    "dispute_default_payee_share": "0.50",
    "commission_bps": 500,
}


class Contracts:
    """Agents and contracts by id, in the order in which they were made."""

    def __init__(self) -> None:
        """Begin with none."""
        self.agents: dict[str, dict[str, Any]] = {}
        self.contracts: dict[str, dict[str, Any]] = {}
        self._attributions: dict[str, dict[str, Any]] = {}
        self.written = Written()
        self.routes: list[Route] = [
            ("POST", r"/agents", self._create_agent),
            ("GET", r"/agents", self._list_agents),
            ("GET", r"/agents/([\w.-]+)", self._get_agent),
            ("PATCH", r"/agents/([\w.-]+)", self._update_agent),
            ("POST", r"/agents/([\w.-]+)/retire", self._retire_agent),
            ("GET", r"/agents/([\w.-]+)/attribution", self._get_attribution),
            ("PUT", r"/agents/([\w.-]+)/attribution", self._set_attribution),
            ("POST", r"/contracts", self._create_contract),
            ("GET", r"/contracts", self._list_contracts),
            ("GET", r"/contracts/([\w.-]+)", self._get_contract),
            ("PATCH", r"/contracts/([\w.-]+)", self._update_contract),
            # All of them are accepted as they are made, and accepting one again changes nothing.
            ("POST", r"/contracts/([\w.-]+)/acceptance", self._get_contract),
        ]

    def attribution(self, agent_id: str | None) -> dict[str, Any]:
        """Return for which department and project an agent spends."""
        return self._attributions.get(agent_id or "", {"department_id": None, "project_id": None})

    def _get_attribution(self, _request: httpx2.Request, agent_id: str) -> Answer:
        return Answer(200, {"id": known(self.agents, agent_id)["id"], **self.attribution(agent_id)})

    def _set_attribution(self, request: httpx2.Request, agent_id: str) -> Answer:
        body, agent = body_of(request), known(self.agents, agent_id)
        self._attributions[agent["id"]] = {name: body.get(name) for name in ("department_id", "project_id")}
        return self._get_attribution(request, agent_id)

    def _create_agent(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        made = {
            "name": required(body, "name"),
            "description": body.get("description"),
            "organization_id": ORGANIZATION,
            **{"organization_name": "Fake", "stars": None, "ratings": 0, "jobs_done": 0},
            **{"median_delivery_seconds": None, "picture_url": None, "samples": []},
            "can_be_hired": True,
            "visibility": body.get("visibility", "public"),
            "category": body.get("category"),
            "pricing": _pricing(body.get("pricing") or {}),
            "terms": _listed(body.get("terms") or {}),
            "retired_at": None,
        }
        return self.written.make(self.agents, "agt", body, made)

    def _list_agents(self, request: httpx2.Request) -> Answer:
        return page_of(request, list(self.agents.values()), _AGENTS)

    def _get_agent(self, _request: httpx2.Request, agent_id: str) -> Answer:
        return Answer(200, known(self.agents, agent_id), self.written.tag(agent_id))

    def _update_agent(self, request: httpx2.Request, agent_id: str) -> Answer:
        body = body_of(request)
        more = {name: body[name] for name in ("name", "visibility") if body.get(name) is not None}
        samples = body.get("samples")
        more |= {} if samples is None else {"samples": [{"note": None, **each} for each in samples]}
        more |= {name: body[name] for name in ("description", "category") if name in body}
        made = {"pricing": _pricing, "terms": _listed}
        more |= {name: make(body[name]) for name, make in made.items() if body.get(name) is not None}
        return self.written.update(self.agents, request, agent_id, more)

    def _retire_agent(self, _request: httpx2.Request, agent_id: str) -> Answer:
        agent = known(self.agents, agent_id)
        if agent["retired_at"] is None:
            # A copy: answers that were given stay as they were.
            retired = {"can_be_hired": False, "retired_at": time_of(datetime.now(UTC))}
            agent = self.agents[agent_id] = {**agent, **retired}
        return Answer(200, agent)

    def _create_contract(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        agent = known(self.agents, required(body, "agent_id"))
        if agent["retired_at"] is not None:
            detail = "The agent was retired, so nothing new can begin with it."
            raise Refused(409, "agent.retired", detail, retired_at=agent["retired_at"])
        signatories = body.get("signatories") or [principal_of(request)]
        signatures = body.get("required_signatures") or len(signatories)
        if signatures > len(signatories):
            detail = f"{signatures} signatures are required, but there are only {len(signatories)} signatories."
            raise invalid(detail, "required_signatures")
        currency = body.get("currency", CREDIT)
        price = positive(required(body, "price"), currency)
        milestones = [{**each, "amount": positive(each["amount"], currency)} for each in body.get("milestones", [])]
        if milestones and sum(each["amount"] for each in milestones) != price:
            raise invalid("The milestones do not add up to the price.", "milestones")
        made = {
            "title": required(body, "title"),
            "payer_name": _NAME,
            "payee_name": _NAME,
            "agent_name": agent["name"],
            "organization_id": ORGANIZATION,
            "payee_org_id": ORGANIZATION,
            "agent_id": agent["id"],
            "price": text_of(price),
            "currency": currency,
            "signatories": signatories,
            "required_signatures": signatures,
            **{name: body.get(name, usual) for name, usual in _TERMS.items()},
            "commission_rule": "default",
            "level": None,
            "milestones": [{**each, "amount": text_of(each["amount"])} for each in milestones],
            "status": "accepted",
            "outside_listing": [],
            "accept_by": None,
            "open_by": time_of(datetime.now(UTC) + timedelta(days=7)),
            "accepted_at": None,
            "accepted_by": None,
            "quote_id": None,
        }
        return self.written.make(self.contracts, "ctr", body, made)

    def _list_contracts(self, request: httpx2.Request) -> Answer:
        return page_of(request, list(self.contracts.values()), _CONTRACTS)

    def _get_contract(self, _request: httpx2.Request, contract_id: str) -> Answer:
        return Answer(200, known(self.contracts, contract_id), self.written.tag(contract_id))

    def _update_contract(self, request: httpx2.Request, contract_id: str) -> Answer:
        return self.written.update(self.contracts, request, contract_id)


def _pricing(given: dict[str, Any]) -> dict[str, Any]:
    model, price = given.get("model", "free"), given.get("amount")
    if model == "free" and price is not None:
        raise invalid("The pricing model free does not allow an amount.", "pricing.amount")
    if model in {"monthly", "one_time"} and price is None:
        raise invalid(f"The pricing model {model} requires an amount.", "pricing.amount")
    if price is None:
        return {"model": model, "amount": None, "currency": None}
    currency = given.get("currency", CREDIT)
    return {"model": model, "amount": text_of(positive(price, currency)), "currency": currency}


def _listed(terms: dict[str, Any]) -> dict[str, Any]:
    listed = {
        name: {"min": None, "max": None, "currency": None, **terms[name]} for name in sorted(terms) if terms[name]
    }
    if "price" in listed:
        listed["price"]["currency"] = listed["price"]["currency"] or CREDIT
    return listed
