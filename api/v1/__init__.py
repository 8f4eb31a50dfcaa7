"""Version 1 of the API: one folder a resource, and the one list of their routers.

The order is the order in which paths are tried, so what is asked for most stands first.
"""

from fastapi import APIRouter

from api.v1.api_keys.endpoints import router as api_keys
from api.v1.health.endpoints import router as health
from api.v1.organizations.endpoints import router as organizations

ROUTERS: tuple[APIRouter, ...] = (
    organizations,
    api_keys,
    health,
)

#: Served at the root as well, where probes and scrapers look.
ROOT_ROUTERS: tuple[APIRouter, ...] = (health,)
