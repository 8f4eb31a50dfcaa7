"""The escrows of `FakeBursar`: what their commands move is booked here, and tried for the list of actions."""

from collections import defaultdict
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import httpx2

from bursar.testing._answers import (
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    judged,
    known,
    positive,
    principal_of,
    refuse_taken,
    required,
    text_of,
)
from bursar.testing._commands import COMMANDS, Command, share_of
from bursar.testing._contracts import Contracts
from bursar.testing._escrow import ZERO, Escrow
from bursar.testing._lists import Filters, page_of, summary_of
from bursar.testing._wallet import Wallet
from bursar.testing._written import Written

_FILTERS = Filters(
    {
        "organization_id": "payer_org_id",
        "agent_id": "payee_agent_id",
        **{name: name for name in ("contract_id", "status", "currency", "external_id")},
    },
    searched=("title", "external_id"),
    amount="amount",
)


class Escrows:
    """Escrows by id, in the order in which they were made, and what agents earned by them, by currency."""

    def __init__(self, wallet: Wallet, contracts: Contracts) -> None:
        """Begin with none."""
        self._wallet = wallet
        self._contracts = contracts
        self._written = Written()
        self._escrows: dict[str, Escrow] = {}
        self.earned: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.routes: list[Route] = [
            ("POST", r"/escrows", self._create),
            ("GET", r"/escrows", self._list),
            ("GET", r"/escrows/summary", self._summary),
            ("GET", r"/escrows/([\w.-]+)", self._get),
            ("PATCH", r"/escrows/([\w.-]+)", self._update),
            ("GET", r"/escrows/([\w.-]+)/timeline", self._timeline),
            ("GET", r"/escrows/([\w.-]+)/actions", self._actions),
            *(("POST", rf"/escrows/([\w.-]+)/{each.path}", partial(self._done, each)) for each in COMMANDS[1:]),
        ]

    @property
    def holding(self) -> list[Escrow]:
        """Funded escrows by their next deadline."""
        return sorted((each for each in self._escrows.values() if each.held), key=lambda each: each.until or "")

    def held(self, currency: str) -> Decimal:
        """Total held in a currency."""
        return sum((each.held for each in self._escrows.values() if each.currency == currency), ZERO)

    def find(self, escrow_id: str) -> Escrow:
        """Return an escrow, or refuse with 404."""
        if escrow_id not in self._escrows:
            raise Refused(404, "not_found", "There is no such escrow.")
        return self._escrows[escrow_id]

    def fund(self, escrow_id: str, source: str, actor: str) -> Escrow:
        """Fund an escrow from `credits`, a `balance` or a `payment:{id}`, whose money is in the wallet."""
        return self._given(COMMANDS[0], escrow_id, {"source": source}, actor)

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        contract = known(self._contracts.contracts, required(body, "contract_id"))
        made = Escrow(
            contract,
            {"external_id": body.get("external_id"), "metadata": body.get("metadata") or {}},
            datetime.now(UTC),
        )
        if body.get("amount") is not None and positive(body["amount"], made.currency) != made.price:
            raise Refused(
                409,
                "escrow.amount_mismatch",
                "The amount must equal the contract's price. Correct it, or leave it out.",
            )
        if made.id in self._escrows:
            exists = self._escrows[made.id]
            raise exists.refused("This contract has an escrow already.", "escrow.exists", escrow_id=made.id)
        refuse_taken(body.get("external_id"), self._documents())
        self._escrows[made.id] = made
        made.note("opened", f"{ORGANIZATION}/{principal_of(request)}", {})
        return Answer(201, made.document(), self._written.tag(made.id))

    def _documents(self) -> list[dict[str, Any]]:
        return [each.document() for each in self._escrows.values()]

    def _list(self, request: httpx2.Request) -> Answer:
        return page_of(request, self._documents(), _FILTERS)

    def _summary(self, request: httpx2.Request) -> Answer:
        return summary_of(request, self._documents(), _FILTERS)

    def _get(self, _request: httpx2.Request, escrow_id: str) -> Answer:
        return Answer(200, self.find(escrow_id).document(), self._written.tag(escrow_id))

    def _update(self, request: httpx2.Request, escrow_id: str) -> Answer:
        escrow = self.find(escrow_id)
        self._written.change(request, escrow_id, escrow.own, self._documents())
        return Answer(200, escrow.document(), self._written.tag(escrow_id))

    def _timeline(self, request: httpx2.Request, escrow_id: str) -> Answer:
        return page_of(request, self.find(escrow_id).timeline[::-1], by="number")

    def _actions(self, request: httpx2.Request, escrow_id: str) -> Answer:
        """Try each command on a copy, which is thrown away."""
        escrow, asked, principal = self.find(escrow_id), request.url.params, principal_of(request)
        given: dict[str, dict[str, Any]] = {}
        if "payee_share" in asked:
            given["resolve"] = {"payee_share": share_of(asked["payee_share"], "payee_share")}
        if "amount" in asked:
            given["refund"] = {"amount": positive(asked["amount"], escrow.currency)}

        def effect(command: Command) -> dict[str, Any]:
            after = _tried(command, escrow, {**command.tried(escrow), **given.get(command.action, {})}, principal)
            moves = {"funded": "fund", "to_agent": "release", "commission": "commission", "to_payer": "refund"}
            moved = {name: text_of(after.moved(kind)) for name, kind in moves.items()}
            return {**moved, "held": text_of(after.held), "currency": after.currency, "status": after.status}

        return Answer(200, {"actions": [judged(each.action, partial(effect, each)) for each in COMMANDS]})

    def _done(self, command: Command, request: httpx2.Request, escrow_id: str) -> Answer:
        actor = f"{ORGANIZATION}/{principal_of(request)}"
        return Answer(200, self._given(command, escrow_id, body_of(request), actor).document())

    def _given(self, command: Command, escrow_id: str, body: dict[str, Any], actor: str) -> Escrow:
        after = _tried(command, self.find(escrow_id), body, actor.partition("/")[2])
        self._wallet.take(after.moved("fund"), after.currency)
        self._wallet.give(after.moved("refund"), after.currency)
        self.earned[after.contract["agent_id"], after.currency] += after.moved("release")
        first = len(self._wallet.transfers) + 1
        for move in after.moves:
            self._wallet.moved(*move)
        after.version += 1
        event = "partially_refunded" if command.event == "refunded" and after.held else command.event
        said = {name: body[name] for name in ("source", "reason", "note") if body.get(name) is not None}
        after.note(event, actor, said, first if after.moves else None)
        self._escrows[escrow_id] = after
        return after


def _tried(command: Command, escrow: Escrow, body: dict[str, Any], principal: str) -> Escrow:
    """Return the escrow as it is after a command; the one that is given stays as it is."""
    after = deepcopy(escrow)
    after.updated_at, after.moves = datetime.now(UTC), []
    command.act(after, body, principal)
    return after
