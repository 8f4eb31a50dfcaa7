"""Settings of secrets."""

from pydantic import SecretStr, field_validator

from runtime.settings.part import Part


class SecretSettings(Part):
    """Settings of secrets."""

    secret_keys: SecretStr | None = None
    agents_read_secrets: bool = False

    @field_validator("secret_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        # Imported where it is used: most processes that read settings neither seal nor open.
        from runtime.codec import parse_keys

        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys
