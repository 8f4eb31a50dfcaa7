-- What the platform's role writes of refunds less what was used. Running it again replaces everything.

GRANT UPDATE (included_uses) ON marketplace_offers TO bursar_platform;
GRANT UPDATE (used_minor) ON marketplace_purchases TO bursar_platform;
