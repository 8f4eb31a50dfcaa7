"""The stand-ins for providers: which of them run, how, and the settings that point the product at them.

A stand-in runs where the environment names no account of one's own: a key of Stripe, a client id of PayPal, a place to
receive coins at, or the address of a LiteLLM proxy, of a mail server or of Slack. Its settings and its state are its
part of the data directory, so both survive a restart together.
"""

import contextlib
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from dev.sandbox.chains import accounts as chains
from dev.sandbox.chains.reference_rates import FILE
from dev.sandbox.litellm import app as litellm
from dev.sandbox.paypal import accounts as paypal
from dev.stack.claim import Ports
from dev.stack.migrate import ROOT
from dev.stack.parts import python_environment
from dev.stack.process import Process, Program
from dev.stack.seed import write_private

osmem_server: Any = None
# It is there for some platforms only; without it there is no search index.
with contextlib.suppress(ImportError):
    import osmem_server  # type: ignore[no-redef]

#: How long the sandbox of Stripe waits for the answer whether a card may pay, and how long the API takes at most.
ISSUING_PATIENCE_SECONDS = 60
SANDBOXES = ("stripe", "paypal", "chains", "litellm", "mail", "vies", "slack", "search")
BLOCK_SECONDS = 3

#: Each of these names an account of one's own.
_OWN_ACCOUNT = {
    "stripe": ("BURSAR_STRIPE_API_KEY",),
    "paypal": ("BURSAR_PAYPAL_CLIENT_ID",),
    "chains": ("BURSAR_BTC_XPUB", "BURSAR_ETH_XPUB", "BURSAR_TON_ADDRESS"),
    "litellm": ("BURSAR_LITELLM_URL",),
    "mail": ("BURSAR_MAIL_HOST",),
    "vies": ("BURSAR_VAT_NUMBER", "BURSAR_VIES_URL"),
    "slack": ("BURSAR_SLACK_URL",),
    "search": ("BURSAR_SEARCH_INDEX_URL",),
}
#: Short waits for a developer's machine; the environment can override them.
_PACE = {
    "BURSAR_FIRST_POLL": "PT2S",
    "BURSAR_CHAIN_POLL": "PT2S",
    "BURSAR_BTC_CONFIRMATIONS": "2",
    "BURSAR_EVM_CONFIRMATIONS": "3",
    "BURSAR_TON_CONFIRMATIONS": "1",
}
#: What the stand-in for the chains serves beside them, unless the environment names another source.
_RATES = {"BURSAR_RATES_URL": "/rates", "BURSAR_REFERENCE_RATES_URL": f"/rates/{FILE}"}


class SandboxPart:
    """A stand-in; ready when its control surface says so."""

    grace_seconds = 5.0

    def __init__(self, name: str, port: int, data_dir: Path, env: Mapping[str, str], *arguments: str) -> None:
        """Take its name, where it listens, the stack's data directory, and what its command line says besides."""
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._state = data_dir / name
        self._log_file = data_dir / "logs" / f"{name}.log"
        module = (sys.executable, "-m", f"dev.sandbox.{name}")
        self._argv = (*module, "--port", str(port), "--data", str(self._state), *arguments)
        self._env = python_environment(env, data_dir)

    def prepare(self) -> None:
        """Make the directory of its state."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)

    def program(self) -> Program:
        """Return its command line."""
        return Program(name=self.name, argv=self._argv, log_file=self._log_file, env=self._env, cwd=ROOT)

    async def problem(self, process: Process) -> str | None:  # noqa: ARG002
        """Ask its control surface."""
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
                answer = await client.get(f"{self.url}/_control/health")
        except httpx2.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.status_code == 200 else f"answers {answer.status_code}: {answer.text[:300]}"


class StripeSandboxPart(SandboxPart):
    """The Stripe sandbox; its webhook secret is stored with its state."""

    def __init__(self, port: int, data_dir: Path, api_url: str, env: Mapping[str, str]) -> None:
        """Read the secrets that an earlier start made, or make them up."""
        self._secrets_file = data_dir / "stripe" / "secrets.json"
        try:
            kept: dict[str, str] = json.loads(self._secrets_file.read_text())
        except FileNotFoundError:
            kept = {"api_key": f"sk_test_{secrets.token_hex(16)}", "webhook_secret": f"whsec_{secrets.token_hex(16)}"}
        self.api_key, self.webhook_secret = kept["api_key"], kept["webhook_secret"]
        env = {**env, "STRIPE_SANDBOX_WEBHOOK_SECRET": self.webhook_secret}
        webhook = f"{api_url}/api/v1/webhooks/stripe"
        # A busy machine decides late, and the stack's stories must not depend on it.
        patience = ("--issuing-patience", str(ISSUING_PATIENCE_SECONDS))
        arguments = ("--webhook", webhook, "--issuing-webhook", f"{webhook}/issuing", *patience)
        super().__init__("stripe", port, data_dir, env, *arguments)

    def prepare(self) -> None:
        """Keep the secrets for the next start."""
        super().prepare()
        write_private(self._secrets_file, {"api_key": self.api_key, "webhook_secret": self.webhook_secret})


class SearchPart(SandboxPart):
    """A server that speaks OpenSearch's API, in memory; it is no module of ours."""

    def __init__(self, port: int, data_dir: Path, env: Mapping[str, str]) -> None:
        """Take where it listens, and the stack's data directory."""
        super().__init__("search", port, data_dir, env)
        self._argv = (osmem_server.resolve_binary(), "-addr", f"127.0.0.1:{port}", "-no-stdin-watch", "-no-ja")

    async def problem(self, process: Process) -> str | None:  # noqa: ARG002
        """Ask for its name."""
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
                answer = await client.get(self.url)
        except httpx2.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.status_code == 200 else f"answers {answer.status_code}: {answer.text[:300]}"


class Sandboxes:
    """The stand-ins of one stack.

    Attributes:
        parts: those that run, by name.
        settings: what makes the worker and the web process talk to them.
        dev: what `dev.json` tells of them; null for those that do not run.
    """

    def __init__(
        self, data_dir: Path, ports: Ports, api_url: str, wanted: frozenset[str], environment: Mapping[str, str]
    ) -> None:
        """Choose among the wanted ones; the environment is the product's, without the settings that are made here."""
        self.parts: dict[str, SandboxPart] = {}
        self.settings: dict[str, str] = {}
        self.dev: dict[str, str | None] = dict.fromkeys(
            (
                *("stripe_api_base", "stripe_control_url", "stripe_api_key", "stripe_webhook_secret"),
                *("paypal_api_base", "chains_url", "litellm_url", "mail_url", "vies_url", "slack_url", "search_url"),
            )
        )
        self._data_dir, self._ports, self._api_url, self._environment = data_dir, ports, api_url, environment
        own = {name for name, variables in _OWN_ACCOUNT.items() if any(environment.get(each) for each in variables)}
        adding = {
            "stripe": self._add_stripe,
            "paypal": self._add_paypal,
            "chains": self._add_chains,
            "litellm": self._add_litellm,
            "mail": self._add_mail,
            "vies": self._add_vies,
            "slack": self._add_slack,
            "search": self._add_search,
        }
        for name, add in adding.items():
            if name in wanted - own:
                add()
        if self.parts:
            pace = {**_PACE, "BURSAR_PAYMENT_RETURN_URL": f"{api_url}/"}
            self.settings |= {name: environment.get(name) or value for name, value in pace.items()}

    def _add_stripe(self) -> None:
        url = f"http://127.0.0.1:{self._ports.stripe_sandbox}"
        part = StripeSandboxPart(self._ports.stripe_sandbox, self._data_dir, self._api_url, self._environment)
        self.parts["stripe"] = part
        self.settings |= {
            "BURSAR_STRIPE_API_KEY": part.api_key,
            "BURSAR_STRIPE_API_BASE": url,
            "BURSAR_STRIPE_PUBLISHABLE_KEY": "pk_test_sandbox",
            "BURSAR_STRIPE_ELEMENTS": "true",
            "BURSAR_STRIPE_WEBHOOK_SECRETS": part.webhook_secret,
            "BURSAR_ISSUING": self._environment.get("BURSAR_ISSUING") or "all",
            "BURSAR_ISSUING_TIMEOUT": self._environment.get("BURSAR_ISSUING_TIMEOUT")
            or f"PT{ISSUING_PATIENCE_SECONDS}S",
        }
        self.dev |= {
            "stripe_api_base": url,
            "stripe_control_url": f"{url}/_control",
            "stripe_api_key": part.api_key,
            "stripe_webhook_secret": part.webhook_secret,
        }

    def _add_paypal(self) -> None:
        port, webhook = self._ports.paypal_sandbox, ("--webhook", f"{self._api_url}/api/v1/webhooks/paypal")
        url = f"http://127.0.0.1:{port}"
        self.parts["paypal"] = SandboxPart("paypal", port, self._data_dir, self._environment, *webhook)
        self.settings |= {
            "BURSAR_PAYPAL_CLIENT_ID": paypal.CLIENT_ID,
            "BURSAR_PAYPAL_CLIENT_SECRET": paypal.CLIENT_SECRET,
            "BURSAR_PAYPAL_API_BASE": url,
            "BURSAR_PAYPAL_WEBHOOK_ID": paypal.WEBHOOK_ID,
            # The sandbox has written it before the worker and the web process start, which read it then.
            "BURSAR_PAYPAL_TRUST_ROOTS": str(self._data_dir / "paypal" / paypal.ROOT_FILE),
        }
        self.dev |= {"paypal_api_base": url}

    def _add_chains(self) -> None:
        port, mining = self._ports.chains_sandbox, ("--block-seconds", str(BLOCK_SECONDS))
        url = f"http://127.0.0.1:{port}"
        self.parts["chains"] = SandboxPart("chains", port, self._data_dir, self._environment, *mining)
        self.settings |= {
            "BURSAR_BTC_XPUB": chains.BTC_XPUB,
            "BURSAR_ETH_XPUB": chains.ETH_XPUB,
            "BURSAR_TON_ADDRESS": chains.TON_ADDRESS,
            "BURSAR_ESPLORA_URL": f"{url}/btc/api",
            "BURSAR_EVM_RPC_URL": f"{url}/evm",
            "BURSAR_EVM_USDC_CONTRACT": chains.USDC_CONTRACT,
            "BURSAR_EVM_CHAIN_ID": str(chains.CHAIN_ID),
            "BURSAR_TON_API_URL": f"{url}/ton",
            **{name: self._environment.get(name) or f"{url}{path}" for name, path in _RATES.items()},
        }
        self.dev |= {"chains_url": url}

    def _add_litellm(self) -> None:
        url = f"http://127.0.0.1:{self._ports.litellm_sandbox}"
        self.parts["litellm"] = SandboxPart("litellm", self._ports.litellm_sandbox, self._data_dir, self._environment)
        self.settings |= {"BURSAR_LITELLM_URL": url, "BURSAR_LITELLM_API_KEY": litellm.KEY}
        self.dev |= {"litellm_url": url}

    def _add_mail(self) -> None:
        port, smtp_port = self._ports.mail_sandbox, str(self._ports.mail_sandbox_smtp)
        bounces = ("--bounces", f"{self._api_url}/api/v1/webhooks/mail-bounces")
        arguments = ("--smtp-port", smtp_port, *bounces)
        self.parts["mail"] = SandboxPart("mail", port, self._data_dir, self._environment, *arguments)
        self.settings |= {
            "BURSAR_MAIL_HOST": "127.0.0.1",
            "BURSAR_MAIL_PORT": smtp_port,
            "BURSAR_MAIL_TLS": "none",
            "BURSAR_MAIL_SENDER": "billing@bursar.example",
        }
        self.dev |= {"mail_url": f"http://127.0.0.1:{port}"}

    def _add_vies(self) -> None:
        url = f"http://127.0.0.1:{self._ports.vies_sandbox}"
        self.parts["vies"] = SandboxPart("vies", self._ports.vies_sandbox, self._data_dir, self._environment)
        # The caller has to be named.
        self.settings |= {"BURSAR_VIES_URL": url, "BURSAR_VAT_NUMBER": "DE129273398"}
        self.dev |= {"vies_url": url}

    def _add_slack(self) -> None:
        url = f"http://127.0.0.1:{self._ports.slack_sandbox}"
        self.parts["slack"] = SandboxPart("slack", self._ports.slack_sandbox, self._data_dir, self._environment)
        self.settings |= {"BURSAR_SLACK_URL": f"{url}/"}
        self.dev |= {"slack_url": url}

    def _add_search(self) -> None:
        if osmem_server is None:
            return
        url = f"http://127.0.0.1:{self._ports.search_sandbox}"
        self.parts["search"] = SearchPart(self._ports.search_sandbox, self._data_dir, self._environment)
        self.settings |= {"BURSAR_SEARCH_INDEX_URL": url}
        self.dev |= {"search_url": url}
