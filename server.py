"""Composition root of the web process: settings → logs → app → uvicorn. `python server.py` runs until SIGTERM."""

import gc

if __name__ == "__main__":
    # What is imported stays, and to look through it again and again takes a quarter of the start; on from `settle`.
    gc.disable()

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.app import create_app, create_private_app
from api.changes import Changes
from api.outgoing import CUT
from api.presence import Presence
from composition import make_price_book, make_providers, make_secrets
from console.app import mount
from runtime import collector, logs
from runtime.database import Database
from runtime.sealing import Sealer
from runtime.settings import Settings, ended_by_wrong_settings, read_settings
from runtime.telemetry import Telemetry


class Protocol(HttpToolsProtocol):
    """HTTP on one connection, which an answer may cut."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        extensions: dict[str, Any] = {CUT: self.transport.abort}
        self.scope["extensions"] = extensions


def serving(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn serves the app. A client is the other end of its connection, or a trusted proxy's word."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "none",
        "http": Protocol,
        # A stream is a connection and a request at work for as long as it is open, and takes neither from the others.
        "limit_concurrency": settings.limit_concurrency + settings.limit_streams,
        "proxy_headers": settings.trusted_proxies is not None,
        "forwarded_allow_ips": settings.trusted_proxies or "",
        "ws": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 30,
    }


def serving_privately(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn serves what is for probes and scrapers alone."""
    return {
        **serving(settings),
        "host": settings.private_host,
        "port": settings.private_port,
        "limit_concurrency": 100,
        "proxy_headers": False,
        "timeout_graceful_shutdown": 1,
        "lifespan": "off",
    }


class PublicServer(uvicorn.Server):
    """The listener of the public port: streams have no end of their own, so they are ended before it waits for them."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        """Take the streams of the app that is served."""
        super().__init__(config)
        self._changes = changes

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then what is under way."""
        self._changes.end_streams()
        await super().shutdown(sockets)


class _PrivateServer(uvicorn.Server):
    """The listener of the private port: it ends when the public one has ended, and leaves signals to that one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take none."""
        yield


async def serve(app: FastAPI, settings: Settings) -> None:
    """Serve the app on its port, and the private endpoints on another, until a signal stops it."""
    public = PublicServer(uvicorn.Config(app, **serving(settings)), app.state.deps.changes)
    presence = Presence(app.state.deps.database)
    presence.start()
    try:
        await _serve(public, app, settings)
    finally:
        await presence.close()


async def _serve(public: PublicServer, app: FastAPI, settings: Settings) -> None:
    if not settings.private_port:
        await public.serve()
        return
    private = _PrivateServer(uvicorn.Config(create_private_app(app), **serving_privately(settings)))
    listening = asyncio.create_task(private.serve())
    try:
        await public.serve()
    finally:
        private.should_exit = True
        await listening


def main() -> None:
    """Serve until a signal stops the server; requests under way are finished first."""
    settings = read_settings()
    logs.configure(settings, "api")
    telemetry = Telemetry(settings, "api")
    database = Database(
        settings.database_url,
        settings.platform_database_url,
        pool_size=settings.database_pool_size,
        statement_timeout=settings.database_timeout,
        sealer=Sealer(settings.encryption_keys),
    )
    providers = make_providers(settings, database)
    app = create_app(
        settings,
        database=database,
        telemetry=telemetry,
        providers=providers,
        prices=make_price_book(settings),
        secrets=make_secrets(settings),
    )
    mount(app, settings)
    collector.freeze_startup_objects()
    uvloop.run(serve(app, settings))


if __name__ == "__main__":
    with ended_by_wrong_settings():
        main()
