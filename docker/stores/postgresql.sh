#!/bin/sh
# Entry of the PostgreSQL image: makes the database on first start, then becomes
# the server. The role, its password and the database come from mounted files
# only, so that neither the environment nor a process listing shows a secret.
#
#   PGDATA    data directory, on a volume that uid 1001 can write
#   SOCKETS   directory of the Unix socket, not shared with other containers
#   SECRETS   directory with the files username, password and database
#
# Arguments are handed to postgres, for example: -c shared_buffers=64MB
set -eu

PGDATA=${PGDATA:-/var/lib/postgresql/data/pgdata}
SOCKETS=${SOCKETS:-/var/run/postgresql}
SECRETS=${SECRETS:-/etc/secrets/postgresql}
CONFIG=${CONFIG:-/etc/postgresql/postgresql.conf}
export PGDATA

for name in username password database; do
    if [ ! -s "${SECRETS}/${name}" ]; then
        echo "postgresql: ${SECRETS}/${name} is missing or empty; mount the Secret postgresql-auth there" >&2
        exit 1
    fi
done

username=$(cat "${SECRETS}/username")
database=$(cat "${SECRETS}/database")

# Names go into SQL that is written below, hence only plain identifiers.
for name in "${username}" "${database}"; do
    case ${name} in
        '' | [!a-z_]* | *[!a-z0-9_]*)
            echo "postgresql: user and database names must match [a-z_][a-z0-9_]*" >&2
            exit 1
            ;;
    esac
done

# initialise builds the cluster beside PGDATA and renames it at the end: a start
# that was killed halfway leaves no directory that looks complete.
initialise() {
    fresh="${PGDATA}.new"
    rm -rf "${fresh}"
    mkdir -p "$(dirname "${PGDATA}")"

    # The bootstrap superuser is the role itself: one login, one password, and
    # no trust authentication anywhere. Without --no-sync a thousand small files
    # would be flushed one by one; there is no data yet that a crash could lose,
    # and the server itself runs with fsync on.
    initdb --pgdata="${fresh}" --username="${username}" --pwfile="${SECRETS}/password" \
        --auth-local=scram-sha-256 --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C --no-sync >/dev/null

    # Every database, role and connection of this server belongs to one service.
    printf 'local all all scram-sha-256\nhost all all all scram-sha-256\n' >"${fresh}/pg_hba.conf"

    # Single-user mode needs no listener and no password, and its process is gone
    # before the real server starts.
    if [ "${database}" != postgres ]; then
        echo "CREATE DATABASE \"${database}\" OWNER \"${username}\";" |
            postgres --single -D "${fresh}" postgres >/dev/null
    fi
    mv "${fresh}" "${PGDATA}"
}

if [ ! -s "${PGDATA}/PG_VERSION" ]; then
    initialise
fi

mkdir -p "${SOCKETS}"
if [ -r "${CONFIG}" ]; then
    set -- -c "config_file=${CONFIG}" "$@"
fi
exec postgres -D "${PGDATA}" \
    -c "unix_socket_directories=${SOCKETS}" \
    -c "hba_file=${PGDATA}/pg_hba.conf" \
    -c "listen_addresses=*" \
    "$@"
