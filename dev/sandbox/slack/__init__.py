"""A stand-in for incoming webhooks of Slack: it takes what is posted as Slack does, and shows it on a page."""
