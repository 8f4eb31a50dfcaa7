#!/bin/sh
# Rolls out the release that .env names (IMAGE, BURSAR_BUILD_ID), without a moment in which no worker works: the new
# workers start beside the old ones, become current, and only then are the old ones stopped. Safe to repeat.
# `deploy/rollout.sh --back` goes back to the previous release, which cannot migrate the newer schema.
set -eu
cd "$(dirname "$0")/.."
case "$*" in "") back= ;; --back) back=yes ;; *) echo "usage: deploy/rollout.sh [--back]" >&2; exit 2 ;; esac

# The proxy holds requests while it is replaced.
replace_api() { docker compose up --detach --wait --no-deps api proxy; }

old=$(docker compose ps --quiet worker)
number=$(printf '%s' "$old" | grep -c '' || true)
# No worker gets a message that is newer than it is: the API is the last to go forward, and the first to go back.
if [ "$back" ]; then replace_api; else docker compose run --rm --no-deps migrate; fi
docker compose up --detach --wait --no-deps --no-recreate --scale "worker=$((number + (number > 0 ? number : 1)))" worker
# Ends with an error, and leaves the old ones at work, where no worker of the new build asks for work.
docker compose run --rm --no-deps rollout
for worker in $old; do
    # It ends what it is at. Whatever is left is taken up by the new ones.
    docker stop --time 30 "$worker"
    docker rm "$worker"
done
if [ -z "$back" ]; then replace_api; fi
