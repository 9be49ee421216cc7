#!/usr/bin/env bash
# Runs a command where Dropbox's names lead to a server on this machine: programs that have no
# option for the address can't tell the difference. Needs `unshare` (util-linux) and `ip`
# (iproute2); run in a mount and network namespace of its own:
#
#     unshare --map-root-user --mount --net dropbox-hosts.sh LANDFALL DATA COMMAND...
#
# LANDFALL is the tool and DATA the data directory of a server, whose log goes to `server.log`
# in the current directory. COMMAND finds the certificate authority in $AUTHORITY.
set -euo pipefail
landfall=$1 data=$2
shift 2
. "$(dirname "$0")/dropbox-names.sh"

RUST_LOG=info "$landfall" serve --data "$data" --tls-dev --listen 127.0.0.1:443 \
    >server.out 2>server.log &
server=$!
trap 'kill $server; wait $server || true' EXIT
until grep -qs "listening on https://" server.out; do
    kill -0 $server || { cat server.log >&2 && exit 1; }
    sleep 0.05
done
export AUTHORITY=$data/tls/authority.pem
"$@"
