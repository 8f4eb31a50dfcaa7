# Helpers of the recipes, for bash in the directory of a running `make run`.
DEV=${BURSAR_DATA_DIR:-.bursar}/dev.json
# dev NAME…: a value of the stack's dev.json.
dev() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[2:], json.load(open(sys.argv[1]))))' "$DEV" "$@"; }
# field NAME…: members of the JSON on standard input.
field() { python3 -c 'import json, sys; print(*map(json.load(sys.stdin).get, sys.argv[1:]))' "$@"; }
# with_key SECRET ARGUMENT…: curl with an API key.
with_key() { curl -sS --noproxy '*' -H "Authorization: Bearer $1" -H "Content-Type: application/json" "${@:2}"; }
# ask ROLE ARGUMENT…: curl with the key of a role of the stack.
ask() { with_key "$(dev keys "$1")" "${@:2}"; }
# reach PATH STATUS: wait until the client's object has a status, for a while, and print the last one.
reach() { for _ in {1..150}; do S=$(ask client "$API/$1" | field status); [ "$S" != "$2" ] || break; sleep 0.2; done; echo "$S"; }
# control PATH JSON: have payers and banks of Stripe's sandbox do something.
control() { curl -sS --noproxy '*' -H "Content-Type: application/json" "$(dev stripe_control_url)/$1" -d "$2" -o /dev/null; }
API=$(dev api_url)/api/v1
RUN=recipe-$(date +%s)-$RANDOM
# top_up CARD: have the client buy 100 credits on Stripe's page; PAY is the payment.
top_up() {
  local made page
  made=$(ask client "$API/billing/topup" -H "Idempotency-Key: $RUN-card" -d '{
    "amount": "100.00", "hosted": true, "return_url": "https://example.com/billing"}')
  PAY=$(field payment_id <<< "$made"); page=$(field approval_url <<< "$made")
  control checkout '{"session": "'"${page##*/}"'", "card": "'"$1"'"}'
}
# fund_escrow TITLE PRICE: have the client award a contract and fund its escrow, and print the status; CONTRACT, ESCROW.
fund_escrow() {
  CONTRACT=$(ask client "$API/contracts" -H "Idempotency-Key: $RUN-contract" -d '{
    "agent_id": "'"$(dev ids agent)"'", "title": "'"$1"'", "price": "'"$2"'"}' | field id)
  ESCROW=$(ask client "$API/escrows" -H "Idempotency-Key: $RUN-escrow" -d '{"contract_id": "'"$CONTRACT"'"}' | field id)
  ask client "$API/escrows/$ESCROW/fund" -H "Idempotency-Key: $RUN-fund" -d '{"source": "credits"}' | field status
}
