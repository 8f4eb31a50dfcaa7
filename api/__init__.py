"""HTTP API: endpoints, authentication, permissions and problem documents."""
