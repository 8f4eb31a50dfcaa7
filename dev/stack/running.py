"""A stack that is ready, as `dev.json` describes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Running:
    """Content of a stack's `dev.json`. Addresses of sandboxes are None if a real account is configured.

    `settings` are the environment that ties a process to the stack.
    """

    data_dir: Path
    api_url: str
    temporal_ui_url: str
    temporal_address: str
    temporal_namespace: str
    database_url: str
    keys: dict[str, str]
    ids: dict[str, str]
    settings: dict[str, str]
    console_url: str | None = None
    stripe_api_base: str | None = None
    stripe_control_url: str | None = None
    stripe_api_key: str | None = None
    paypal_api_base: str | None = None
    chains_url: str | None = None
    litellm_url: str | None = None
    mail_url: str | None = None
    vies_url: str | None = None
    slack_url: str | None = None
    search_url: str | None = None

    @classmethod
    def read(cls, dev_file: Path) -> "Running":
        """Read it; raises OSError, ValueError or KeyError when there is none."""
        dev = json.loads(dev_file.read_text())
        return cls(
            data_dir=dev_file.parent,
            api_url=dev["api_url"],
            temporal_ui_url=dev["temporal_ui_url"],
            temporal_address=dev["temporal_address"],
            temporal_namespace=dev["temporal_namespace"],
            database_url=dev["database_url"],
            keys=dev["keys"],
            ids=dev["ids"],
            settings=dev["settings"],
            console_url=dev.get("console_url"),
            stripe_api_base=dev.get("stripe_api_base"),
            stripe_control_url=dev.get("stripe_control_url"),
            stripe_api_key=dev.get("stripe_api_key"),
            paypal_api_base=dev.get("paypal_api_base"),
            chains_url=dev.get("chains_url"),
            litellm_url=dev.get("litellm_url"),
            mail_url=dev.get("mail_url"),
            vies_url=dev.get("vies_url"),
            slack_url=dev.get("slack_url"),
            search_url=dev.get("search_url"),
        )

    @property
    def has_sandboxes(self) -> bool:
        """Whether every provider is a stand-in that can be steered."""
        return None not in (self.stripe_control_url, self.paypal_api_base, self.chains_url)

    def run_url(self, workflow_id: str) -> str:
        """Return where the Temporal UI shows a run."""
        return f"{self.temporal_ui_url}/namespaces/{self.temporal_namespace}/workflows/{quote(workflow_id, safe='')}"
