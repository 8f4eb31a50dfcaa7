"""The routes of settings, agents and earnings, which `nouns.ROUTES` takes in one line."""

from console.agent.pages import ROUTES as AGENT
from console.audit.pages import ROUTES as AUDIT
from console.department.pages import ROUTES as DEPARTMENT
from console.earnings.pages import ROUTES as EARNINGS
from console.key.pages import ROUTES as KEY
from console.principal.pages import ROUTES as PRINCIPAL
from console.reputation.pages import ROUTES as REPUTATION
from console.session.pages import ROUTES as SESSION
from console.settings.pages import ROUTES as SETTINGS

ROUTES = (*AGENT, *REPUTATION, *EARNINGS, *PRINCIPAL, *DEPARTMENT, *SETTINGS, *KEY, *SESSION, *AUDIT)
