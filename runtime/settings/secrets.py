"""Settings of secrets."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from domain.payments.payment.livemode import is_local
from runtime.settings.part import SettingsPart

_ROTATION_HOST = re.compile(r"(org_[0-9A-Za-z]+)/([^/\s]+:[0-9]{1,5})")


class SecretSettings(SettingsPart):
    secret_keys: SecretStr | None = None
    agents_read_secrets: bool = False
    rotation_hosts: str | None = None

    secret_wrapper: Literal["local", "vault"] = "local"
    secret_backend: Literal["postgres", "vault"] = "postgres"
    vault_url: str | None = Field(default=None, repr=False)
    vault_role_id: str | None = None
    vault_secret_id: SecretStr | None = None
    vault_trust_roots: Path | None = None
    vault_transit_key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    vault_kv_mount: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,50}(?:/[A-Za-z0-9_-]{1,50}){0,3}$")

    @property
    def rotation_targets(self) -> Mapping[str, frozenset[str]]:
        """The hosts inside the platform's network, with ports, at which an organization's secrets may be rotated."""
        found: dict[str, frozenset[str]] = {}
        for each in _entries(self.rotation_hosts or ""):
            org_id, _, host = each.partition("/")
            found[org_id] = found.get(org_id, frozenset()) | {host.lower()}
        return found

    @field_validator("rotation_hosts")
    @classmethod
    def _name_organizations(cls, hosts: str | None) -> str | None:
        """Refuse a host that every organization could reach, or on every port."""
        wrong = next((each for each in _entries(hosts or "") if _ROTATION_HOST.fullmatch(each) is None), None)
        if wrong is not None:
            raise ValueError(f"{wrong[:80]!r} is not an organization with a host and a port: org_…/host:port.")
        return hosts

    @field_validator("secret_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        # Imported where it is used: most processes that read settings neither seal nor open.
        from runtime.codec import parse_keys

        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys

    @field_validator("vault_url")
    @classmethod
    def _is_private_on_its_way(cls, url: str | None) -> str | None:
        """Refuse plain HTTP beyond this machine: keys and values go over it."""
        if url is not None and not url.startswith("https://") and not (url.startswith("http://") and is_local(url)):
            raise ValueError("It must begin with https://, unless it is on this machine.")
        return url

    @model_validator(mode="after")
    def _vault_is_whole(self) -> Self:
        """Refuse a Vault that is used and not there, or there and cannot be signed in to."""
        if self.secret_wrapper == "vault" and self.vault_transit_key is None:
            raise ValueError("BURSAR_SECRET_WRAPPER=vault needs BURSAR_VAULT_TRANSIT_KEY.")
        if self.secret_backend == "vault" and self.vault_kv_mount is None:
            raise ValueError("BURSAR_SECRET_BACKEND=vault needs BURSAR_VAULT_KV_MOUNT.")
        login = {"URL": self.vault_url, "ROLE_ID": self.vault_role_id, "SECRET_ID": self.vault_secret_id}
        parts = (self.vault_transit_key, self.vault_kv_mount)
        missing = [f"BURSAR_VAULT_{name}" for name, value in login.items() if value is None]
        if missing and any(value is not None for value in (*login.values(), *parts)):
            raise ValueError(f"Vault is set up in part: {' and '.join(missing)} must be set as well.")
        if not missing and not any(parts):
            raise ValueError("BURSAR_VAULT_URL is for nothing: set BURSAR_VAULT_TRANSIT_KEY or BURSAR_VAULT_KV_MOUNT.")
        return self


def _entries(text: str) -> list[str]:
    return [entry for each in text.split(",") if (entry := each.strip())]
