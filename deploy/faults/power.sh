# shellcheck shell=bash disable=SC2154,SC2034
# Cases of power: the machine stops while a command writes.

case_52() {
    strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace processes here"
    deploy/install python3 >&2
    local name moment moments kept status last all=0 losses=0 old=0
    for name in "${commands[@]}"; do
        keep "$name"
        again
        rm -rf "$box/before"
        mkdir "$box/before"
        cp "$store" "$box/before"
        wrapper=(strace -f -y -xx -qq -s 100000000 -o "$box/trace" -e trace="$(deploy/faults/lose-power --calls)")
        (run "$name") || fail "$name: $(cat "$box/run.err")"
        wrapper=()
        mapfile -t moments < <(deploy/faults/lose-power "$box/trace" "$box" "$box/before" moments "$(size 6 200)" "$SEED")
        last=${moments[-1]}
        for moment in "${moments[@]}"; do
            all=$((all + 1))
            for kept in none some; do
                rm -rf "$store"* "$box/out"
                deploy/faults/lose-power "$box/trace" "$box" "$box/before" lose "$moment" "$kept" "$SEED" "$box/lost"
                mkdir -p "$box/lost/out"
                mv "$box/lost"/* "$box"
                losses=$((losses + 1))
                # The command has reported its success at the last moment, so nothing of it may be lost then.
                status=1
                [ "$moment" != "$last" ] || status=0
                judge "$name" "$status"
                [ "$(state "$store")" != "$before" ] || old=$((old + 1))
            done
        done
    done
    result "$losses losses of power at $all moments of ${#commands[@]} commands: $old times the old state," \
        "$((losses - old)) times the new one, 0 damaged stores; 0 reported changes lost"
}
