"""The one merchant that the sandbox has: its credentials, its webhook, and the file of the root that it trusts."""

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "sandbox-client", "sandbox-secret", "SANDBOXWEBHOOK1"
ROOT_FILE = "root.pem"
