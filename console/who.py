"""The principal of a session, from `GET /me`."""

from dataclasses import dataclass
from typing import Any

from console.format import titled
from console.texts import N_, gettext
from domain.common.access import PLATFORM_ROLES, Permission

_PLATFORM = frozenset(role.value for role in PLATFORM_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    id: str
    name: str
    plan: str
    logo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who asks.

    Attributes:
        permissions: the API's words.
        organization: None for the platform's own roles.
        locale: of CLDR, such as `de_AT`; None if the person has kept none.
        time_zone: the same.
        confined: whether the key reads uses, limits and totals of its agent, department or project only.
    """

    principal: str
    role: str
    permissions: frozenset[str]
    environment: str
    organization: Organization | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    session_id: str | None = None
    session_ends: str | None = None
    made_by: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    unread: int = 0
    confined: bool = False

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Me":
        organization, agent, session = body.get("organization"), body.get("agent") or {}, body.get("session") or {}
        return cls(
            principal=body["principal"],
            role=body["role"],
            permissions=frozenset(body["permissions"]),
            environment=body["environment"],
            organization=organization_of(organization) if organization else None,
            agent_id=agent.get("id"),
            agent_name=agent.get("name"),
            session_id=session.get("id"),
            session_ends=session.get("expires_at"),
            made_by=session.get("made_by"),
            locale=body["locale"].replace("-", "_") if body.get("locale") else None,
            time_zone=body.get("time_zone"),
            unread=body.get("unread") or 0,
            confined=body.get("confined", False),
        )

    @property
    def is_platform(self) -> bool:
        return self.role in _PLATFORM

    def may(self, permission: Permission) -> bool:
        """Return whether the role has a permission; the API decides, this only leaves out what it would refuse."""
        return permission.value in self.permissions


def organization_of(body: dict[str, Any]) -> Organization:
    return Organization(
        id=body["id"], name=body["name"], plan=titled(str(body.get("tier", ""))), logo=body.get("logo_url")
    )


def actor_named(actor: str) -> str:
    """Return who acted in words: the principal without its organization's id, which readers cannot read."""
    return gettext(N_("Provider")) if actor.startswith("provider:") else actor.rpartition("/")[2]


def role_named(role: str) -> str:
    """Return a role in the reader's language."""
    return gettext(role.replace("_", " "))
