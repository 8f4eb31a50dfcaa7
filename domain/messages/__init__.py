"""Events, webhooks, mail, notifications and alerts."""
