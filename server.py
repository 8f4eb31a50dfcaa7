"""Composition root of the web process: settings → logs → app → uvicorn. `python server.py` runs until SIGTERM."""

from typing import Any

import uvicorn

from api.app import create_app
from api.protocol import BoundedProtocol
from composition import make_providers
from runtime import logs
from runtime.database import Database
from runtime.sealing import Sealer
from runtime.settings import Settings, ended_by_wrong_settings, read_settings
from runtime.telemetry import Telemetry


def serving(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn serves the app. A client is the other end of its connection, or a trusted proxy's word."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": BoundedProtocol,
        "limit_concurrency": settings.limit_concurrency,
        "proxy_headers": settings.trusted_proxies is not None,
        "forwarded_allow_ips": settings.trusted_proxies or "",
        "ws": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 30,
    }


def main() -> None:
    """Serve until told to stop; requests under way are finished first."""
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
    uvicorn.run(create_app(settings, database=database, telemetry=telemetry, providers=providers), **serving(settings))


if __name__ == "__main__":
    with ended_by_wrong_settings():
        main()
