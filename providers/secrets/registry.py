"""The backends of secrets that this process has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.common.errors import SecretNotConfigured
from providers.secrets.base import SecretBackend


@dataclass(frozen=True, slots=True)
class SecretBackends:
    """The configured backends by name, created once by the composition root.

    Attributes:
        backends: by name.
        default: the backend of new secrets.
        closers: close connections.
    """

    backends: Mapping[str, SecretBackend] = field(default_factory=dict)
    default: str = "postgres"
    closers: Sequence[Callable[[], Awaitable[None]]] = field(default_factory=tuple)

    def backend(self, name: str) -> SecretBackend:
        """Return a backend.

        Raises:
            Conflict: `secret.not_configured`; it has no keys or no address here.
        """
        found = self.backends.get(name)
        if found is None:
            raise SecretNotConfigured(
                f"Secrets in {name} cannot be stored or opened here. Set BURSAR_SECRET_KEYS or BURSAR_ENCRYPTION_KEYS"
                " for postgres, or the address of Vault for vault (docs/guides/secrets.md)."
            )
        return found

    async def aclose(self) -> None:
        """Close every connection."""
        for close in self.closers:
            await close()
