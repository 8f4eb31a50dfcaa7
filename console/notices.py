"""What a page says after a command, once: the address holds a word of this list, and never a text."""

from collections.abc import Mapping

#: Word in the address → (tone, sentence). A noun's words begin with the noun; add yours under it.
NOTICES: Mapping[str, tuple[str, str]] = {
    "again": ("idle", "This was done before; nothing happened twice."),
    "choices.saved": ("good", "Your choices are saved in this browser."),
    "session.signed_out": ("idle", "You have signed out."),
    "session.ended": ("warn", "Your session has ended. Sign in to go on where you were."),
}
