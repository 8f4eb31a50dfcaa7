"""Settings of secrets."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from domain.payments.payment.livemode import is_local
from runtime.settings.part import Part


class SecretSettings(Part):
    """Settings of secrets."""

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
    def rotation_targets(self) -> frozenset[str]:
        """The hosts inside the platform's network at which secrets may be rotated."""
        return frozenset(name for each in (self.rotation_hosts or "").split(",") if (name := each.strip().lower()))

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
