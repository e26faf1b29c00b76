# shellcheck shell=bash disable=SC2154,SC2034
# Cases of power: the machine stops while a command writes.

case_52() {
    strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace processes here"
    deploy/install python3 >&2
    local name moment moments kept status last all=0 losses=0 old=0 names=("${commands[@]}") counts=() first_loss first_old
    # For a closer look at some of them.
    [ -z "${COMMANDS:-}" ] || read -ra names <<<"$COMMANDS"
    for name in "${names[@]}"; do
        keep "$name"
        again
        rm -rf "$box/before"
        mkdir "$box/before"
        cp "$store" "$box/before"
        wrapper=(strace -f -y -xx -qq -s 100000000 -o "$box/trace" -e trace="$(deploy/faults/lose-power --calls)")
        (run "$name") || fail "$name: $(cat "$box/run.err")"
        wrapper=()
        mapfile -t moments < <(deploy/faults/lose-power "$box/trace" "$box" "$box/before" moments "$(size 4 200)" "$SEED")
        last=${moments[-1]}
        first_loss=$losses first_old=$old
        for moment in "${moments[@]}"; do
            all=$((all + 1))
            for kept in none some; do
                rm -rf "$store"* "$box/out"
                deploy/faults/lose-power "$box/trace" "$box" "$box/before" lose "$moment" "$kept" "$SEED" "$box/lost" ||
                    fail "$name: call $moment of $last cannot be replayed"
                mkdir -p "$box/lost/out"
                mv "$box/lost"/* "$box"
                losses=$((losses + 1))
                echo "$name: power lost after call $moment of $last, kept $kept of what was not synchronised"
                # The command has reported its success at the last moment, so nothing of it may be lost then.
                status=1
                [ "$moment" != "$last" ] || status=0
                judge "$name" "$status"
                [ "$(state "$store")" != "$before" ] || old=$((old + 1))
            done
        done
        counts+=("$name $((old - first_old)) old and $((losses - first_loss - old + first_old)) new")
    done
    # The check itself can fail: without the calls that synchronise, the last command's change is lost.
    sed -E '/ (fsync|fdatasync)\(/d' "$box/trace" >"$box/unsynchronised"
    moment=$(deploy/faults/lose-power "$box/unsynchronised" "$box" "$box/before" moments 1 "$SEED")
    deploy/faults/lose-power "$box/unsynchronised" "$box" "$box/before" lose "$moment" none "$SEED" "$box/lost"
    [ "$(state "$box/lost/store.sqlite")" = "$before" ] || fail "a change that was not synchronised is not lost"
    result "$losses losses of power at $all moments of ${#names[@]} commands ($(IFS=,; echo "${counts[*]}" | sed 's/,/, /g')): $old times the old state," \
        "$((losses - old)) times the new one, 0 damaged stores; 0 reported changes lost; 1 lost when the synchronisations were left out"
}
