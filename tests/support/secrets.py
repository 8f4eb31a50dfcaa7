"""An organization with agents, whose secrets are stored and opened as the endpoints do it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.common.access import Actor, Role
from domain.secrets.access import AccessVerb
from domain.secrets.secret import SecretKind, VersionStatus
from models.marketplace.agent import Agent
from models.secrets.grant import SecretGrant
from models.secrets.secret import Secret
from models.tenants.organization import Organization
from providers.secrets.base import ValueLocation
from providers.secrets.registry import SecretBackends
from providers.secrets.sealing import LocalKeyWrapper, PostgresBackend
from runtime.database import Database
from runtime.identity import new_id
from services.secrets import secret
from services.secrets.secret import OpenRequest, OpenResult, SecretChange

#: Early in a day of the past, so that no test meets the end of a day.
NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
HOST = "api.example.com"


def local_secrets(*keys: tuple[str, bytes]) -> SecretBackends:
    """Return what keeps secrets in PostgreSQL, under the keys given or one of the test's own."""
    return SecretBackends({"postgres": PostgresBackend(LocalKeyWrapper(keys or [("k1", b"k" * 32)]))})


@dataclass
class Vaulted:
    """An organization, its agent, and what keeps its secrets."""

    database: Database
    org_id: str = field(default_factory=lambda: new_id("org"))
    agent_id: str = field(default_factory=lambda: new_id("agt"))
    secrets: SecretBackends = field(default_factory=local_secrets)

    @property
    def owner(self) -> Actor:
        return Actor(principal="olga", role=Role.OWNER, org_id=self.org_id)

    @classmethod
    async def of(cls, database: Database) -> "Vaulted":
        made = cls(database)
        async with database.platform() as session:
            session.add(
                Organization(id=made.org_id, name="Studio", command_id=made.org_id, created_by="x", created_at=NOW)
            )
            await session.flush()
            session.add(
                Agent(
                    id=made.agent_id, org_id=made.org_id, name="Ada", visibility="private", pricing_model="free",
                    created_by="x", command_id=made.agent_id,
                )
            )  # fmt: skip
        return made

    async def put(
        self, path: str = "api_keys/model", value: bytes = b"s3cret", *, hosts: tuple[str, ...] = (), **more: Any
    ) -> Secret:
        kind = SecretKind.REFERENCE if path.startswith("payments/") else SecretKind.API_KEY
        wanted = SecretChange(org_id=self.org_id, path=path, kind=kind, hosts=hosts)
        command = more.get("command_id") or new_id("cmd")
        async with self.database.platform() as session:
            row, number = await secret.reserve(
                session, self.owner, wanted, backend="postgres", command_id=command, now=NOW
            )
        if number is None:
            return row
        stored = await self.secrets.backend("postgres").store(ValueLocation(self.org_id, path, number), value)
        async with self.database.platform() as session:
            await secret.add_version(
                session, row.id, number, stored, status=VersionStatus.CURRENT, created_by="olga", command_id=command,
                now=NOW,
            )  # fmt: skip
        return row

    async def grant(self, *paths: str, **more: Any) -> str:
        """Grant the agent the use of paths at `HOST`, by default of all API keys."""
        who = {} if "principal" in more else {"agent_id": self.agent_id}
        values = {
            "verbs": ["use"], "hosts": [HOST], "methods": ["POST"], "ends_at": NOW + timedelta(days=30), **who, **more,
        }  # fmt: skip
        grant_id = values.pop("id", None) or new_id("sgr")
        async with self.database.platform() as session:
            session.add(
                SecretGrant(
                    id=grant_id, org_id=self.org_id, paths=list(paths or ("api_keys/*",)), created_by="olga",
                    command_id=grant_id, created_at=NOW, **values,
                )
            )  # fmt: skip
        return grant_id

    def opening(self, **more: Any) -> OpenRequest:
        asked = OpenRequest(
            org_id=self.org_id, path="api_keys/model", verb=AccessVerb.USE, principal="ada", agent_id=self.agent_id,
            host=HOST, method="POST", place="header:authorization", purpose="Ask a model",
        )  # fmt: skip
        return replace(asked, **more)

    async def open(self, now: datetime = NOW, **more: Any) -> OpenResult:
        async with self.database.platform() as session:
            return await secret.open(session, self.opening(**more), now=now)
