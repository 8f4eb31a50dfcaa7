"""Settings of secrets."""

from pydantic import SecretStr, field_validator

from runtime.settings.part import Part


class SecretSettings(Part):
    """Settings of secrets."""

    secret_keys: SecretStr | None = None
    agents_read_secrets: bool = False
    rotation_hosts: str | None = None

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
