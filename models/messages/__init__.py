"""Tables of events, webhooks, mail, notifications and alerts."""
