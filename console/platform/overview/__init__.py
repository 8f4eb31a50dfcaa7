"""How the platform stands: the page that operators begin with."""
