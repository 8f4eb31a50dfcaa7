"""The sandboxes of providers for tests: inside the test's own process, or as the processes that `make run` starts."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import stripe
import uvicorn
from starlette.applications import Starlette

from dev.stack.migrate import ROOT
from dev.stack.process import START_SECONDS
from dev.stack.temporal import free_port
from providers.payments.stripe.client import HttpClient

STRIPE_KEY = "sk_test_bursar"


@contextlib.contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serves an app on the loopback in a thread of its own, with a loop of its own, and yields its address."""
    config = uvicorn.Config(app, host="127.0.0.1", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="sandbox")
        thread.start()
        try:
            # Connections wait in the socket's own queue until the server takes them.
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class RunningStripe:
    """A sandbox of Stripe that runs.

    Attributes:
        url: Where its API is.
        pid: Its process, where it has one of its own.
    """

    url: str
    pid: int | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def client(self, **options: Any) -> stripe.StripeClient:
        """Return the official client of this sandbox; the caller closes its HTTP client."""
        options = {"api_key": STRIPE_KEY, "max_network_retries": 0, "http_client": HttpClient(80, None)} | options
        return stripe.StripeClient(base_addresses={"api": self.url}, **options)

    def kill(self) -> None:
        """Kills the process as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_stripe(
    data_dir: Path, *arguments: str, port: int | None = None, webhook_secret: str = ""
) -> Iterator[RunningStripe]:
    """Runs `dev.sandbox.stripe` on a directory until the block ends; the same directory continues its state."""
    port = port or free_port()
    command = [sys.executable, "-m", "dev.sandbox.stripe", "--port", str(port), "--data", str(data_dir), *arguments]
    environment = {**os.environ, "STRIPE_SANDBOX_WEBHOOK_SECRET": webhook_secret}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    running = RunningStripe(f"http://127.0.0.1:{port}", process.pid, process)
    try:
        await_health(running.url, process)
        yield running
    finally:
        process.terminate()
        process.wait()


def await_health(url: str, process: "subprocess.Popen[bytes]", path: str = "/_control/health") -> None:
    """Returns when a sandbox answers, and raises when it has ended instead or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the sandbox ended with {process.returncode}")
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}{path}", timeout=60).status_code == httpx2.codes.OK:
                return
        time.sleep(0.02)
    raise TimeoutError(f"no sandbox at {url}")
