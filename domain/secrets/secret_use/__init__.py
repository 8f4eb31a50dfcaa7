"""The use of a secret for somebody who never sees it: what is requested, where the value goes, what comes back."""
