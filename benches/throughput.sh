#!/bin/sh
# How fast PostgreSQL reads, checks, sorts and writes tables here: the source of the figures in src/stats/throughput.rs.
#
# usage: benches/throughput.sh [DIRECTORY OF initdb AND postgres] [MILLION ROWS]
#
# Makes a throwaway cluster with PostgreSQL's own defaults (fsync on, 128 MB of shared buffers, 64 MB of maintenance_work_mem), fills a table
# of narrow rows and one of wide rows of about the same size, and times each operation three times. Prints MB/s of heap, slowest to fastest.
set -eu
bin=${1:-$(pg_config --bindir)}
million=${2:-2}
dir=$(mktemp -d)
user=$(id -un)
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && user=nobody && chown nobody "$dir"
trap 'as "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
as "$bin/initdb" -D "$dir/data" -U "$user" --auth=trust -E UTF8 --locale=C >/dev/null
as "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" -o "-c listen_addresses='' -k $dir -c autovacuum=off" start >/dev/null
q() { psql -h "$dir" -U "$user" -d postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
q <<SQL
CREATE TABLE parent (id bigint PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 1000);
CREATE TABLE narrow (id bigint NOT NULL, n int, ref bigint, t text);
INSERT INTO narrow SELECT i, i % 1000, 1 + i % 1000, md5(i::text) FROM generate_series(1, $million * 1000000) i;
CREATE TABLE wide (id bigint NOT NULL, n int, ref bigint, t text, filler text);
INSERT INTO wide SELECT i, i % 1000, 1 + i % 1000, md5(i::text), repeat(md5(i::text), 30) FROM generate_series(1, $million * 100000) i;
VACUUM ANALYZE;
CHECKPOINT;
SQL
q -c "SELECT version()"
# name, table, statement, what takes it back
time_of() {
    bytes=$(q -c "SELECT pg_table_size('$2')")
    : >"$dir/times"
    for _ in 1 2 3; do
        q >>"$dir/times" <<SQL
SELECT extract(epoch FROM clock_timestamp()) AS start \gset
$3;
SELECT extract(epoch FROM clock_timestamp()) - :start;
$4;
CHECKPOINT;
SQL
    done
    sort -rn "$dir/times" | awk -v name="$1" -v table="$2" -v bytes="$bytes" \
        '{ t[NR] = $1 } END { mb = bytes / 1e6; printf "%-24s %-7s %6.0f MB  %7.0f to %5.0f MB/s  (%.3f s to %.3f s)\n", name, table, mb, mb / t[1], mb / t[NR], t[1], t[NR] }'
}
for t in narrow wide; do
    time_of "catalog only" $t "ALTER TABLE $t ADD COLUMN x int" "ALTER TABLE $t DROP COLUMN x"
    time_of "scan: SET NOT NULL" $t "ALTER TABLE $t ALTER n SET NOT NULL" "ALTER TABLE $t ALTER n DROP NOT NULL"
    time_of "scan: CHECK" $t "ALTER TABLE $t ADD CONSTRAINT c CHECK (n >= 0)" "ALTER TABLE $t DROP CONSTRAINT c"
    time_of "scan: FOREIGN KEY" $t "ALTER TABLE $t ADD CONSTRAINT f FOREIGN KEY (ref) REFERENCES parent" "ALTER TABLE $t DROP CONSTRAINT f"
    time_of "index: bigint" $t "CREATE INDEX i ON $t (id)" "DROP INDEX i"
    time_of "index: text" $t "CREATE INDEX i ON $t (t)" "DROP INDEX i"
    time_of "index: 2 columns, unique" $t "ALTER TABLE $t ADD CONSTRAINT u UNIQUE (t, id)" "ALTER TABLE $t DROP CONSTRAINT u"
    time_of "rewrite: int to bigint" $t "ALTER TABLE $t ALTER n TYPE bigint" "ALTER TABLE $t ALTER n TYPE int"
    time_of "rewrite: volatile default" $t "ALTER TABLE $t ADD COLUMN x uuid DEFAULT gen_random_uuid()" "ALTER TABLE $t DROP COLUMN x"
done
