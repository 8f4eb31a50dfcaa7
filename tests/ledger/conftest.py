from tests.support.books import books, owner

__all__ = ["books", "owner"]
