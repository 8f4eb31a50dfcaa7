"""The routes of settings, agents and earnings, which `nouns.ROUTES` takes in one line."""

from console.agent.pages import ROUTES as AGENT
from console.audit.routes import ROUTES as AUDIT
from console.department.pages import ROUTES as DEPARTMENT
from console.earnings.routes import ROUTES as EARNINGS
from console.key.routes import ROUTES as KEY
from console.principal.routes import ROUTES as PRINCIPAL
from console.reputation.pages import ROUTES as REPUTATION
from console.session.routes import ROUTES as SESSION
from console.settings.routes import ROUTES as SETTINGS

ROUTES = (*AGENT, *REPUTATION, *EARNINGS, *PRINCIPAL, *DEPARTMENT, *SETTINGS, *KEY, *SESSION, *AUDIT)
