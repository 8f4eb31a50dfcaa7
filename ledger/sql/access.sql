-- Money moves by functions only: no role but the owner has INSERT or UPDATE on a table of the books.

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger.open_account, ledger.post, ledger.post_legs, ledger.post_batch, ledger.lock_balances,
    ledger.hold, ledger.capture_hold, ledger.void_hold, ledger.expire_holds, ledger.balance_as_of, ledger.bucket_of
TO bursar_platform;
GRANT EXECUTE ON FUNCTION ledger.expire_lots, ledger.granted_part, ledger.due_credits, ledger.convertible,
    ledger.slice_cost, ledger.payee_cost
TO bursar_platform;
GRANT EXECUTE ON FUNCTION ledger.balance_as_of TO bursar_api;
-- A tenant spends its own credits by the functions of `spend_tenants.sql`, and moves no other money.

GRANT EXECUTE ON FUNCTION public.bursar_org TO bursar_api, bursar_platform;
GRANT EXECUTE ON FUNCTION public.tenant_balance TO bursar_api;
