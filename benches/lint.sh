#!/bin/sh
# How long `lint` takes beside squawk, which looks at one file at a time: the last fifth of each history, and all of it.
#
# usage: benches/lint.sh HISTORIES [CUTOVER]
#
# HISTORIES is a directory with a directory of SQL files for each history, in the order of their names. Needs hyperfine and squawk on the
# path (`apt install hyperfine`, `pip install squawk-cli`). Both are timed as whole processes, alternately: prints the median of each in
# milliseconds, and their ratio.
# shellcheck disable=SC2034,SC2154 # `eval` names them
set -eu
histories=$1
cutover=${2:-target/release/cutover}
case $cutover in /*) ;; *) cutover=$PWD/$cutover ;; esac
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# What both are asked: the same files, renamed so that they have numbers and no blanks.
printf '%-16s %-6s %6s %9s %8s %6s\n' history files count cutover squawk ratio
for history in "$histories"/*/; do
    name=$(basename "$history")
    mkdir -p "$dir/$name"
    count=0
    for file in "$history"*.sql; do
        count=$((count + 1))
        cp "$file" "$(printf '%s/%s/%04d_m.sql' "$dir" "$name" "$count")"
    done
    [ "$count" -ge 10 ] || continue
    fifth=$((count / 5))
    for what in last all; do
        if [ "$what" = last ]; then
            from="--from $(printf '%04d' $((count - fifth)))" number=$fifth
        else
            from="" number=$count
        fi
        files=$(cd "$dir" && ls "$name" | tail -n "$number" | sed "s|^|$name/|" | tr '\n' ' ')
        ours="$cutover lint $name --convention plain $from"
        theirs="squawk $files"
        # Alternately, so that both meet the same weather.
        : >"$dir/ours" && : >"$dir/theirs"
        for _ in 1 2 3 4 5; do
            for side in ours theirs; do
                eval "command=\$$side"
                (cd "$dir" && hyperfine -N -i --warmup 1 --runs 5 --export-csv "$dir/csv" "$command" >/dev/null 2>&1)
                tail -n 1 "$dir/csv" | awk -F, '{ print $(NF - 4) }' >>"$dir/$side"
            done
        done
        median() { sort -n "$dir/$1" | sed -n 3p; }
        echo "$name $what $number $(median ours) $(median theirs)" |
            awk '{ printf "%-16s %-6s %6d %9.1f %8.1f %6.2f\n", $1, $2, $3, $4 * 1000, $5 * 1000, $4 / $5 }'
    done
done
