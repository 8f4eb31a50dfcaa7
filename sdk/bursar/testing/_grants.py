"""The credits that `FakeBursar` is granted: more of them, and what a platform has written on each grant."""

from typing import Any

import httpx2

from bursar.testing._answers import ORGANIZATION, Answer, Refused, Route, body_of, known, positive, required, text_of
from bursar.testing._lists import Filters, page_of
from bursar.testing._wallet import Wallet
from bursar.testing._written import Written

_FILTERS = Filters.of("organization_id", "external_id", searched=("note",), amount="amount")


class Grants:
    """Grants by id, in the order in which they were made."""

    def __init__(self, wallet: Wallet) -> None:
        """Begin with none."""
        self._wallet = wallet
        self._grants: dict[str, dict[str, Any]] = {}
        self._written = Written()
        one = r"/credits/grants/([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/credits/grants", self._grant),
            ("GET", r"/credits/grants", lambda request: page_of(request, list(self._grants.values()), _FILTERS)),
            ("GET", one, self._get),
            ("PATCH", one, lambda request, id: self._written.update(self._grants, request, id)),
        ]

    def _grant(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        amount = positive(required(body, "amount"))
        if required(body, "organization_id") != ORGANIZATION:
            raise Refused(404, "not_found", "There is no such organization.")
        if body.get("expires_at") is not None:
            raise Refused(501, "fake.not_played", "Credits of FakeBursar do not expire.")
        answer = self._written.make(
            self._grants,
            "lot",
            body,
            {
                **{"organization_id": ORGANIZATION, "amount": text_of(amount), "source": required(body, "source")},
                **{"expires_at": None, "note": body.get("note"), "transfer_id": self._wallet.following},
            },
        )
        self._wallet.give(amount)
        self._wallet.moved("grant", amount)
        return answer

    def _get(self, _request: httpx2.Request, id: str) -> Answer:
        return Answer(200, known(self._grants, id), self._written.tag(id))
