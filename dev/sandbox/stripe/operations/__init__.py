"""Operations of Stripe's API in the sandbox, one module per resource."""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Imports every module of this package, and the pages, so that each has registered what it has."""
    for module in iter_modules(__path__, __name__ + "."):
        import_module(module.name)
    import_module("dev.sandbox.stripe.pages")
