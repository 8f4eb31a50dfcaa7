"""Settings of the processes: databases, Temporal, addresses, limits and logs."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from domain.messages.slack import HOOK_PREFIX
from domain.messages.webhook.turns import MAX_DRAINED_AT_ONCE
from domain.payments.payment.livemode import is_local
from runtime.settings.part import SettingsPart

#: TLS modes of PostgreSQL, by the names of libpq.
SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})


_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


class ProcessSettings(SettingsPart):
    secrets_dir: Path | None = None

    database_url: str = Field(default="postgresql://bursar_api@127.0.0.1:5432/bursar", repr=False)
    platform_database_url: str = Field(default="postgresql://bursar_platform@127.0.0.1:5432/bursar", repr=False)
    migration_database_url: str = Field(default="postgresql://postgres@127.0.0.1:5432/bursar", repr=False)
    reader_database_url: str = Field(default="postgresql://bursar_reports@127.0.0.1:5432/bursar", repr=False)
    database_pool_size: int = Field(default=10, ge=1, le=200)
    #: Revenue is booked a minute after its transfers, so no statement may take longer.
    database_timeout: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1), lt=timedelta(minutes=1))

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_tls: bool | None = None
    temporal_api_key: SecretStr | None = None
    temporal_ui_url: str = "http://127.0.0.1:8233"
    encryption_keys: SecretStr | None = None
    webhook_keys: SecretStr | None = None
    allow_insecure_webhooks: bool = False
    slack_url: str = HOOK_PREFIX
    public_url: str | None = None
    plain_payloads: Literal["accept"] | None = None
    sealed_signals: bool | None = None
    names_in_temporal: bool | None = None
    build_id: str | None = None
    activity_slots: int = Field(default=100, ge=1, le=1000)
    delivery_slots: int = Field(default=100, ge=1, le=1000)
    delivery_slots_per_organization: int = Field(default=MAX_DRAINED_AT_ONCE, ge=1, le=1000)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    private_host: str = "127.0.0.1"
    private_port: int = Field(default=8005, ge=0, le=65535)
    trusted_proxies: str | None = None
    limit_concurrency: int = Field(default=1000, ge=1)
    limit_streams: int = Field(default=200, ge=0, le=10_000)
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=8001, ge=0, le=65535)
    rate_limit: str = "6000/minute"
    organization_rate_limit: str = "12000/minute"
    rate_limit_storage: str = Field(default="async+memory://", repr=False)
    cors_origins: str | None = None
    return_origins: str | None = None
    aliases_sunset: date | None = None
    api_keys_per_organization: int = Field(default=100, ge=2)
    command_timeout: timedelta = timedelta(seconds=20)
    idempotency_lease: timedelta = timedelta(seconds=5)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)

    exports: str = ".bursar/exports"
    search_index_url: str | None = Field(default=None, repr=False)
    search_index_authorization: SecretStr | None = None
    search_index_name: str = Field(default="bursar-events", pattern=r"^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$")
    search_index_months: int = Field(default=24, ge=1, le=120)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    otlp_endpoint: str | None = Field(default=None, repr=False)

    #: Connection options from Temporal's own environment, except address, namespace and key; not shown or dumped.
    _temporal_options: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Return the origins of pages that may call the API from a browser."""
        return _listed(self.cors_origins)

    @property
    def origins_to_return_to(self) -> tuple[str, ...]:
        """Return the allowed origins of return URLs of the console."""
        return (*_listed(self.return_origins), *_listed(self.public_url))

    @property
    def temporal_options(self) -> dict[str, Any]:
        """Return the connection options of Temporal: TLS, roots and names."""
        options = self._temporal_options
        in_tls = self.temporal_api_key is not None if self.temporal_tls is None else self.temporal_tls
        return {**options, "tls": options.get("tls", True) if in_tls else False}

    @property
    def signing_keys(self) -> SecretStr | None:
        """Return the keys that sign links in messages and bounce addresses."""
        return self.webhook_keys or self.encryption_keys

    @property
    def signals_are_sealed(self) -> bool:
        """Return whether unsealed commands to runs are refused."""
        return self._has_keys if self.sealed_signals is None else self.sealed_signals

    @property
    def names_are_shown(self) -> bool:
        """Return whether runs show names and people's texts in the Temporal UI."""
        return self._has_keys if self.names_in_temporal is None else self.names_in_temporal

    @property
    def _has_keys(self) -> bool:
        return self.encryption_keys is not None and bool(self.encryption_keys.get_secret_value().strip())

    @model_validator(mode="after")
    def _sealing_takes_keys(self) -> Self:
        if self.sealed_signals and not self._has_keys:
            raise ValueError("BURSAR_SEALED_SIGNALS=true needs BURSAR_ENCRYPTION_KEYS to seal with.")
        return self

    @field_validator("database_url", "platform_database_url", "migration_database_url", "reader_database_url")
    @classmethod
    def _is_of_postgresql(cls, url: str) -> str:
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("It must be a PostgreSQL URL such as postgresql://user:password@host:5432/name.")
        asked = parse_qs(urlsplit(url).query)
        if not set(asked.get("sslmode", [])) <= SSL_MODES:
            raise ValueError("Its sslmode must be disable, allow, prefer, require, verify-ca or verify-full.")
        if not all(Path(root).is_file() for root in asked.get("sslrootcert", [])):
            raise ValueError(
                "Its sslrootcert does not exist: set the path of a PEM file with the certificates to trust."
            )
        return url

    @field_validator("public_url", "probe_url", check_fields=False)
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        """Refuse an invalid base URL of links; plain HTTP is allowed on this machine only."""
        parts = urlsplit(url or "https://none.example")
        local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if (
            not (parts.scheme == "https" or local)
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ValueError("It must be a URL such as https://api.example.com, which may have a path.")
        return url

    @field_validator("exports")
    @classmethod
    def _is_a_store(cls, address: str) -> str:
        if "://" in address and not address.startswith("s3://"):
            raise ValueError("It must be a folder, or a bucket such as s3://bucket/prefix.")
        return address

    @field_validator("search_index_url")
    @classmethod
    def _is_sealed_on_its_way(cls, url: str | None) -> str | None:
        """Refuse plain HTTP beyond this machine, because events reveal who pays whom."""
        if url is not None and not url.startswith("https://") and not is_local(url):
            raise ValueError("It must begin with https://, unless it is on this machine.")
        return url

    @field_validator("slack_url")
    @classmethod
    def _is_slack(cls, url: str) -> str:
        """Refuse other hosts, because a channel's owner chooses the path."""
        if url != HOOK_PREFIX and re.fullmatch(r"http://127\.0\.0\.1:[0-9]{4,5}/", url) is None:
            raise ValueError(f"It must be {HOOK_PREFIX}, or a stand-in on this machine such as http://127.0.0.1:8010/.")
        return url

    @field_validator("encryption_keys", "webhook_keys")
    @classmethod
    def _seals(cls, keys: SecretStr | None) -> SecretStr | None:
        # Imported where it is used: most processes that read settings neither seal nor limit.
        from runtime.codec import encryption_codec

        encryption_codec(keys)
        return keys

    @field_validator("cors_origins", "return_origins")
    @classmethod
    def _are_origins(cls, text: str | None) -> str | None:
        for origin in _listed(text):
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(
                    f"{origin} is not an exact origin such as https://console.example.com; * would allow every page."
                )
        return text

    @field_validator("rate_limit", "organization_rate_limit")
    @classmethod
    def _is_a_limit(cls, limit: str) -> str:
        from limits import parse

        parse(limit)
        return limit

    @field_validator("rate_limit_storage")
    @classmethod
    def _is_an_async_store(cls, uri: str) -> str:
        if not uri.startswith("async+"):
            raise ValueError("It must begin with async+, such as async+memory:// or async+redis://host:6379.")
        return uri
