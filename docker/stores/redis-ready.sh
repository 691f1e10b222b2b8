#!/bin/sh
# Readiness of Redis: one authenticated PING. redis-cli takes the password from
# the variable, which only this short-lived process has. While Redis loads its
# append-only file the answer is an error, hence not ready.
IFS= read -r REDISCLI_AUTH <"${SECRETS:-/etc/secrets/redis}/password" || [ -n "${REDISCLI_AUTH}" ] || exit 1
export REDISCLI_AUTH
[ "$(redis-cli -h 127.0.0.1 ping)" = PONG ]
