#!/usr/bin/env bash
# rclone, unmodified, through all that people do with it. Its remote is `dbx:`; $AUTHORITY is
# what it trusts. Ends with a line `done`, or with the step that failed.
set -euo pipefail
export RCLONE_CA_CERT=$AUTHORITY RCLONE_CONFIG=/dev/null
export RCLONE_CONFIG_DBX_TYPE=dropbox
export RCLONE_CONFIG_DBX_TOKEN="{\"access_token\":\"$LANDFALL_TOKEN\",\"token_type\":\"bearer\",\"expiry\":\"2099-01-01T00:00:00Z\"}"
# It keeps a chunk in memory for each transfer.
export RCLONE_TRANSFERS=32 RCLONE_DROPBOX_CHUNK_SIZE=4M
# What fails must fail: nothing is tried a second time.
export RCLONE_RETRIES=1 RCLONE_LOW_LEVEL_RETRIES=1

step() { echo "== $*"; }
trap 'echo "failed: $BASH_COMMAND"' ERR

step "2,000 small files, odd names, empty files"
# One folder has more than rclone gets in one answer.
mkdir -p tree/large tree/odd "tree/empty folder"
for folder in few/{0..8} large; do
    mkdir -p tree/$folder
    most=99
    [ $folder = large ] && most=1099
    for file in $(seq 0 $most); do
        printf '%s/%s' $folder "$file" >"tree/$folder/$file.txt"
    done
done
for name in "Straße – 東京.txt" "whale 🐳" "it's \"quoted\"" " leading" "trailing " "dots..." \
    'back\slash' '100%' 'a#b?c&d' '~tilde' '-dash' "e$(printf '\u0301')" 'A colon: here' '[x]{y}' '$HOME'; do
    printf 'the file %s' "$name" >"tree/odd/$name"
done
: >tree/odd/zero-byte
: >tree/odd/zero-byte-too

# MODE FILES FOLDER: rclone takes its time between requests, so only its usual mode gets all.
copies() {
    step "batch mode $1: $2 files up, compared by hash, down"
    rclone copy "$3" "dbx:$1" --dropbox-batch-mode "$1" --create-empty-src-dirs
    rclone check "$3" "dbx:$1"
    rclone copy "dbx:$1" "down-$1" --create-empty-src-dirs
    diff -r "$3" "down-$1"
}
copies sync 2,017 tree
copies off 17 tree/odd
copies async 17 tree/odd

step "the same again: nothing to transfer"
rclone copy tree dbx:sync --dropbox-batch-mode sync -v 2>again
grep -q "There was nothing to transfer" again

step "200 MiB in chunks"
head -c 209715200 /dev/urandom >large
rclone copyto large dbx:large-off --dropbox-batch-mode off --dropbox-chunk-size 16M
rclone copyto large dbx:large-sync --dropbox-batch-mode sync --dropbox-chunk-size 48M
for name in large-off large-sync; do
    test "$(rclone lsf --format s dbx:$name)" = 209715200
    rclone cat dbx:$name | cmp - large
done

step "standard input"
printf 'a few bytes' | rclone rcat dbx:rcat/small
test "$(rclone cat dbx:rcat/small)" = 'a few bytes'
head -c 60000000 large | rclone rcat dbx:rcat/large
rclone cat dbx:rcat/large | cmp - <(head -c 60000000 large)
rclone cat dbx:rcat/large --offset 1000 --count 500 | cmp - <(head -c 1500 large | tail -c 500)

step "lists"
(cd tree && find . -type f | sed 's|^\./||' | sort) >wanted
rclone lsf -R --files-only dbx:sync | sort >listed
diff wanted listed
test "$(rclone lsf -R --dirs-only dbx:sync | wc -l)" = 13
rclone lsjson dbx:rcat/small --hash | grep >/dev/null '"dropbox":"[0-9a-f]\{64\}"'

step "moved, copied, deleted"
rclone moveto dbx:rcat/small dbx:moved/small.txt
test "$(rclone cat dbx:moved/small.txt)" = 'a few bytes'
rclone copyto dbx:moved/small.txt dbx:moved/copy.txt
test "$(rclone lsf dbx:moved)" = $'copy.txt\nsmall.txt'
rclone copy tree/few dbx:few --dropbox-batch-mode off
rclone moveto dbx:few dbx:renamed
rclone check tree/few dbx:renamed
rclone move dbx:renamed dbx:deeper/renamed
rclone check tree/few dbx:deeper/renamed
rclone delete dbx:deeper/renamed --include '/1/**'
test "$(rclone lsf -R --files-only dbx:deeper/renamed | wc -l)" = 800
rclone deletefile dbx:moved/copy.txt
rclone mkdir dbx:made/inner
rclone rmdir dbx:made/inner
rclone purge dbx:async
! rclone lsf dbx:async 2>missing
grep -q "directory not found" missing

step "changes are seen: sync deletes what is gone"
rm -r tree/few/7
rclone sync tree dbx:sync
rclone check tree dbx:sync

step "the whole account, from its root"
test "$(rclone lsf -R --files-only dbx: | grep -c '^sync/')" = 1917
rclone size dbx: >/dev/null

step "how full it is"
rclone about dbx: --json | grep >/dev/null '"used": *[1-9]'
rclone size dbx:sync | grep >/dev/null '1917'
echo "done $(rclone version | head -1)"
