#!/usr/bin/env bash
# Runs a command beside a PostgreSQL server of its own, which is thrown away afterwards:
#     harness/postgres.sh cargo test -p landfall-server --features postgres --lib postgres
# The command finds the server's address in LANDFALL_TEST_POSTGRES. Needs Debian's package
# postgresql (any version); what that may run as a service is neither used nor touched.
set -euo pipefail

programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
if [ ! -x "$programs/initdb" ]; then
    echo "no PostgreSQL in /usr/lib/postgresql: install Debian's package postgresql" >&2
    exit 1
fi
as_user=()
directory=$(mktemp -d)
if [ "$(id -u)" -eq 0 ]; then
    # PostgreSQL refuses to run as root.
    as_user=(setpriv --reuid=postgres --regid=postgres --init-groups)
    chown postgres: "$directory"
fi

server=
end() {
    if [ -n "$server" ]; then
        kill -INT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap end EXIT

# The language is one that doesn't sort by bytes: a column that forgets to ask for it shows.
(cd "$directory" && "${as_user[@]}" "$programs/initdb" --pgdata=data --username=postgres \
    --auth=trust --encoding=UTF8 --locale=C --locale-provider=icu --icu-locale=en-US --no-sync) \
    >"$directory/log" 2>&1 || { cat "$directory/log" >&2; exit 1; }
cd_back=$PWD
cd "$directory"
"${as_user[@]}" "$programs/postgres" -D data -k "$directory" -c listen_addresses= \
    -c fsync=off -c max_connections=200 -c deadlock_timeout=10ms >>"$directory/log" 2>&1 &
server=$!
cd "$cd_back"
until "$programs/pg_isready" -q -h "$directory"; do
    kill -0 "$server" 2>/dev/null || { cat "$directory/log" >&2; exit 1; }
    sleep 0.05
done

LANDFALL_TEST_POSTGRES="host=$directory user=postgres dbname=postgres" "$@"
