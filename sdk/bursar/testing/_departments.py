"""The departments of `FakeBursar`: whom spends are attributed to."""

from datetime import UTC, datetime
from typing import Any

import httpx2

from bursar.testing._answers import ORGANIZATION, Answer, Refused, Route, body_of, known, required, time_of
from bursar.testing._contracts import Contracts
from bursar.testing._lists import Filters, page_of

_FILTERS = Filters.of("organization_id", searched=("name",), ended={"open": "closed_at"})


class Departments:
    """Departments by id, in the order in which they were made."""

    def __init__(self, contracts: Contracts) -> None:
        """Begin with none, to which the agents of these contracts can belong."""
        self._contracts = contracts
        self._departments: dict[str, dict[str, Any]] = {}
        one = r"/departments/([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/departments", self._create),
            ("GET", r"/departments", lambda request: page_of(request, list(self._departments.values()), _FILTERS)),
            ("GET", one, lambda _request, id: Answer(200, known(self._departments, id))),
            ("POST", f"{one}/close", self._close),
        ]

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        name, parent_id = required(body, "name"), body.get("parent_id")
        above: list[str] = known(self._departments, parent_id)["path"] if parent_id else []
        if any(each["name"].lower() == name.lower() for each in self._open()):
            raise Refused(409, "department.exists", f"A department named {name} already exists.")
        id = f"dep_{len(self._departments) + 1:026d}"
        made = {
            **{"id": id, "organization_id": ORGANIZATION, "name": name, "parent_id": parent_id, "path": [*above, id]},
            **{"created_at": time_of(datetime.now(UTC)), "closed_at": None},
        }
        self._departments[id] = made
        return Answer(201, made)

    def _close(self, _request: httpx2.Request, id: str) -> Answer:
        department = known(self._departments, id)
        belong = [self._contracts.attribution(agent_id)["department_id"] for agent_id in self._contracts.agents]
        if id in belong or any(each["parent_id"] == id for each in self._open()):
            raise Refused(409, "department.in_use", "Departments or agents belong to it. Move or close them first.")
        if department["closed_at"] is None:
            # A copy: answers that were given stay as they were.
            department = self._departments[id] = {**department, "closed_at": time_of(datetime.now(UTC))}
        return Answer(200, department)

    def _open(self) -> list[dict[str, Any]]:
        return [each for each in self._departments.values() if each["closed_at"] is None]
