"""The routes of the API's resources, without a prefix."""

from fastapi.routing import APIRoute

from api.routing import routes_of
from api.v1 import PRIVATE_ROUTERS, ROUTERS

ROUTES = routes_of((*ROUTERS, *PRIVATE_ROUTERS), APIRoute)
