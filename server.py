"""Composition root of the web process: settings → logs → app → uvicorn. `python server.py` runs until SIGTERM."""

import uvicorn

from api.app import create_app
from runtime import logs
from runtime.settings import Settings
from runtime.telemetry import Telemetry


def main() -> None:
    """Serve until told to stop; requests under way are finished first."""
    settings = Settings()
    logs.configure(settings, "api")
    telemetry = Telemetry(settings, "api")
    uvicorn.run(
        create_app(settings, telemetry=telemetry),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
    )


if __name__ == "__main__":
    main()
