"""A stand-in for HashiCorp Vault and OpenBao: AppRole, transit and KV version 2."""
