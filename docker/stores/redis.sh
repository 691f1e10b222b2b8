#!/bin/sh
# Entry of the Redis image: writes the password from its mounted file into a
# private configuration, then becomes the server. The password never appears on
# a command line or in the environment.
#
#   RUNTIME   directory for the generated configuration, on a memory volume
#   SECRETS   directory with the file password
#   CONFIG    configuration without secrets, included by the generated one
#
# Arguments are handed to redis-server, for example: --maxmemory 64mb
set -eu

RUNTIME=${RUNTIME:-/run/redis}
SECRETS=${SECRETS:-/etc/secrets/redis}
CONFIG=${CONFIG:-/etc/redis/redis.conf}

if [ ! -s "${SECRETS}/password" ]; then
    echo "redis: ${SECRETS}/password is missing or empty; mount the Secret redis-auth there" >&2
    exit 1
fi
password=$(cat "${SECRETS}/password")
case ${password} in
    *[!A-Za-z0-9_.~+/=-]*)
        # Redis would read blanks and quotes as syntax of its configuration.
        echo "redis: the password may hold only letters, digits and _.~+/=-" >&2
        exit 1
        ;;
esac

umask 077
mkdir -p "${RUNTIME}"
{
    if [ -r "${CONFIG}" ]; then
        echo "include ${CONFIG}"
    fi
    # printf is a builtin of the shell: no process list shows its arguments.
    printf 'requirepass %s\n' "${password}"
} >"${RUNTIME}/redis.conf"
unset password

exec redis-server "${RUNTIME}/redis.conf" "$@"
