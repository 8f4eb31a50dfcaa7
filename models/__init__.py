"""SQLAlchemy tables, one module per noun; importing the package registers them all on `Base.metadata`."""

from importlib import import_module
from pkgutil import walk_packages

for _found in walk_packages(__path__, f"{__name__}."):
    import_module(_found.name)
