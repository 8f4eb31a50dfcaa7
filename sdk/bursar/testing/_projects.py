"""The projects of `FakeBursar`, and how many of them its plan includes."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx2

from bursar.testing._answers import ORGANIZATION, Answer, Refused, Route, body_of, invalid, time_of
from bursar.testing._lists import Filters, page_of
from bursar.testing._written import Written

_FILTERS = Filters.of("organization_id", "external_id", searched=("name", "slug"))
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: How an organization of the API's free plan gets more.
_WAYS_UP: list[dict[str, Any]] = [
    *({"way": "plan", "plan": plan, "limit": more} for plan, more in (("premium", 5), ("professional", 5))),
    {"way": "plan", "plan": "enterprise", "limit": None},
    {"way": "slot"},
]


class Projects:
    """Projects by id, in the order in which they were made."""

    def __init__(self, most: int | None) -> None:
        """Set the limits of projects and deployments; None is unlimited."""
        self._most = most
        self._projects: dict[str, dict[str, Any]] = {}
        self._written = Written()
        one = r"/projects/([a-z0-9-]+)"
        self.routes: list[Route] = [
            ("POST", r"/projects", self._create),
            ("GET", r"/projects", self._list),
            ("GET", one, self._get),
            ("PATCH", one, self._update),
            ("POST", f"{one}/deploy", self._deploy),
            ("DELETE", f"{one}/deploy", self._undeploy),
        ]

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        name = body.get("name") or body.get("slug")
        if name is None:
            raise invalid("Set name, slug or both.", "slug")
        slug = body.get("slug") or re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
        if not _SLUG.fullmatch(slug):
            raise invalid("A slug has lower case letters and digits, with hyphens between them.", "slug")
        if any(each["slug"] == slug for each in self._projects.values()):
            raise Refused(409, "project.exists", f"A project with the slug {slug} already exists.")
        self._require_room("projects", len(self._projects))
        made = {
            "organization_id": ORGANIZATION,
            "slug": slug,
            "name": name,
            "deploy_type": body.get("deploy_type", "development"),
            **_deployed(None),
            "occupies_slot": False,
        }
        return self._written.make(self._projects, "prj", body, made)

    def _list(self, request: httpx2.Request) -> Answer:
        return page_of(request, list(self._projects.values()), _FILTERS)

    def _get(self, _request: httpx2.Request, slug: str) -> Answer:
        project = self._known(slug)
        return Answer(200, project, self._written.tag(project["id"]))

    def _update(self, request: httpx2.Request, slug: str) -> Answer:
        name = body_of(request).get("name")
        more = {} if name is None else {"name": name}
        return self._written.update(self._projects, request, self._known(slug)["id"], more)

    def _deploy(self, _request: httpx2.Request, slug: str) -> Answer:
        project = self._known(slug)
        if project["deployed"]:
            return Answer(200, project)
        self._require_room("deploys", sum(each["deployed"] for each in self._projects.values()))
        return self._set(project, time_of(datetime.now(UTC)))

    def _undeploy(self, _request: httpx2.Request, slug: str) -> Answer:
        return self._set(self._known(slug), None)

    def _set(self, project: dict[str, Any], deployed_at: str | None) -> Answer:
        # A copy: answers that were given stay as they were.
        changed = self._projects[project["id"]] = {**project, **_deployed(deployed_at)}
        return Answer(200, changed)

    def _require_room(self, entitlement: str, used: int) -> None:
        if self._most is not None and used >= self._most:
            things = "projects" if entitlement == "projects" else "deployments"
            members = {"limit": self._most, "used": used, "plan": "free", "ways_up": _WAYS_UP}
            detail = f"{used} of {self._most} allowed {things} exist. Buy a slot or change the plan."
            raise Refused(409, "deployment.limit_reached", detail, entitlement=entitlement, **members)

    def _known(self, slug: str) -> dict[str, Any]:
        for each in self._projects.values():
            if each["slug"] == slug:
                return each
        raise Refused(404, "not_found", "There is no such project.")


def _deployed(at: str | None) -> dict[str, Any]:
    return {"deployed": at is not None, "is_deployed": at is not None, "deployed_at": at}
