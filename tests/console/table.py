"""Every page of the console, one line each: its address, and who may read it; test_pages.py renders each as each."""

from dataclasses import dataclass

TENANTS = ("owner", "admin", "finance", "member", "auditor", "agent")
PLATFORM = ("operator", "arbiter", "validator", "accountant")
EVERYBODY = (*TENANTS, *PLATFORM)


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: `{org}` is the organization of the test; other names in braces are of its objects, made in conftest.py.
        roles: who may read it; everybody else gets 403 or 404, and is not offered it.
    """

    path: str
    roles: tuple[str, ...]


PAGES = (
    Page("/console/help", EVERYBODY),
    Page("/console/preferences", EVERYBODY),
    Page("/console/search", EVERYBODY),
    Page("/console/search?q=Tenant", (*TENANTS, "operator")),
    Page("/console/sign-out", EVERYBODY),
    Page("/console/{org}", (*TENANTS, "operator")),
    Page("/console/{org}/transactions", (*TENANTS, "operator")),
    Page("/console/{org}/transactions?q=grant&from=2026-01-01", (*TENANTS, "operator")),
)
