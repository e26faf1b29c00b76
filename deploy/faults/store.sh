# shellcheck shell=bash disable=SC2154,SC2034
# Cases of files: kills, failing system calls, damage.

# The commands that change a store or write a file, each with the store before it. `prepare NAME` makes $store; `run
# NAME` runs the command, which `wrapper` may surround.
commands=(import train export activate rollback prune)
prepare() {
    case $1 in
    import | train | export) new_store 1 ;;
    activate) new_store 1 2 ;;
    rollback) new_store 1 2 && "$program" models activate --store "$store" --model m --version 1 >/dev/null ;;
    prune) new_store 1 2 3 ;;
    esac
    rm -rf "$box/out"
    mkdir "$box/out"
}
run() {
    local models=("$program" models "$1" --store "$store" --model m)
    case $1 in
    import) set -- "$program" models import --store "$store" --file "$work/fixture/v2.sqlite" ;;
    train) set -- "$program" train --recipe "$work/fixture/recipe.json" --events "$work/fixture/events.csv" \
        --items "$work/fixture/items.csv" --store "$store" --model m --seed 2 --json ;;
    export) set -- "${models[@]}" --version 1 --output "$box/out/v.sqlite" ;;
    activate) set -- "${models[@]}" --version 1 ;;
    rollback) set -- "${models[@]}" ;;
    prune) set -- "${models[@]}" --keep 1 ;;
    esac
    exec "${wrapper[@]}" "$@" >"$box/run.out" 2>"$box/run.err"
}
# keep NAME: runs the command once undisturbed, to know the states before and after it.
keep() {
    prepare "$1"
    before=$(state "$store")
    cp "$store" "$box/before.sqlite"
    (wrapper=() && run "$1")
    after=$(state "$store")
    [ "$1" = export ] || [ "$before" != "$after" ] || fail "$1 changes nothing"
}
again() { # Puts the store back to the state before the command.
    rm -rf "$store"* "$box/out"
    mkdir "$box/out"
    cp "$box/before.sqlite" "$store"
}
# judge NAME STATUS: the store must be sound, and in the state before or after the command; a success needs the latter.
judge() {
    sound "$store" || fail "$1 left a damaged store"
    local now
    now=$(state "$store") || fail "$1 left a store whose versions cannot be read"
    [ "$now" = "$before" ] || [ "$now" = "$after" ] || fail "$1 left $now; before $before, after $after"
    [ "$2" != 0 ] || [ "$now" = "$after" ] || fail "$1 succeeded, but the state is $now"
    [ "$1" != export ] || [ ! -e "$box/out/v.sqlite" ] || sound "$box/out/v.sqlite" || fail "a damaged export"
    [ "$1" != export ] || [ "$2" != 0 ] || [ -e "$box/out/v.sqlite" ] || fail "export succeeded without a file"
}

case_1() {
    local name i victim status killed=0 total=0 took
    for name in "${commands[@]}"; do
        keep "$name"
        again
        took=$(date +%s%3N)
        (run "$name")
        took=$(($(date +%s%3N) - took))
        for i in $(seq "$(size 3 100)"); do
            again
            (run "$name") &
            victim=$!
            pause $((took + 1))
            total=$((total + 1))
            kill -KILL "$victim" 2>/dev/null && killed=$((killed + 1))
            status=0
            wait "$victim" 2>/dev/null || status=$?
            judge "$name" "$status"
        done
        again
        (run "$name") || fail "$name does not work after the kills: $(cat "$box/run.err")"
        judge "$name" 0
    done
    [ "$killed" -gt 0 ] || fail "no command was killed"
    result "$killed of $total commands killed before their end, 0 damaged stores"
}

# Each kind of system call with the errors that it may return.
calls=(pwrite64:EIO pwrite64:ENOSPC fsync,fdatasync:EIO openat:EMFILE rename,renameat2:EIO mmap:ENOMEM ftruncate:EIO pread64:EIO unlink:EIO)
# The service starts for each call that fails, so the small campaign tries fewer kinds.
start_calls=(openat:EMFILE pread64:EIO mmap:ENOMEM) change_calls=(pwrite64:EIO fsync,fdatasync:EIO)
[ "${FULL:-0}" = 0 ] || start_calls=("${calls[@]}") change_calls=("${calls[@]}")
# after N: the next call to fail: every one in full size, else the first ones and then fewer and fewer.
after() { [ "${FULL:-0}" = 1 ] && echo $(($1 + 1)) || echo $(($1 * 4)); }
# injecting CALLS ERROR N [OPTION...]: makes `wrapper` fail the N-th of these calls on the store or the folder of exports.
injecting() {
    wrapper=(strace -f "${@:4}" -qq -o "$box/trace" -P "$store" -P "$store-wal" -P "$store-shm" -P "$store-journal"
        -P "$box" -P "$box/out" -P "$box/out/v.sqlite" -P "$work/fixture/v2.sqlite" -e trace="$1" -e inject="$1:error=$2:when=$3")
}

case_2() {
    strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace processes here"
    local name kind n status injected=0 errors=0
    local names=("${commands[@]}")
    # Training takes seconds; its writes are those of an import.
    [ "${FULL:-0}" = 1 ] || names=(import export activate rollback prune)
    # For a closer look at some of them.
    [ -z "${COMMANDS:-}" ] || read -ra names <<<"$COMMANDS"
    [ -z "${CALLS:-}" ] || { read -ra calls <<<"$CALLS" && start_calls=("${calls[@]}") change_calls=("${calls[@]}"); }
    for name in "${names[@]}"; do
        keep "$name"
        for kind in "${calls[@]}"; do
            n=1
            while [ "$n" -le 1000 ]; do
                again
                injecting "${kind%:*}" "${kind#*:}" "$n" --seccomp-bpf
                status=0
                (run "$name") || status=$?
                wrapper=()
                grep -q INJECTED "$box/trace" || break
                injected=$((injected + 1))
                [ "$status" -lt 128 ] || fail "$name crashed with $status when $kind $n failed: $(cat "$box/run.err")"
                [ "$status" = 0 ] || errors=$((errors + 1))
                [ "$status" = 0 ] || [ -s "$box/run.err" ] || fail "$name failed without a message when $kind $n failed"
                judge "$name" "$status"
                n=$(after "$n")
            done
        done
    done
    local commands_injected=$injected
    inject_start
    inject_changes
    result "$commands_injected calls failed in ${#names[@]} commands (${names[*]}), $errors of them ended the command with an error;" \
        "$starts in starts of the service, $changes in its changes; 0 states between${CALLS:+; only ${calls[*]}}"
}

# The start of the service: it serves its version exactly, or ends with a message.
inject_start() {
    local kind n answer expected
    starts=0
    new_store 1 2
    cp "$store" "$box/before.sqlite"
    expected=$("$program" query --store "$store" --model m --history i1,i2 -k 5 --seed 7 --json | jq -c .items)
    for kind in "${start_calls[@]}"; do
        n=1
        while [ "$n" -le 1000 ]; do
            again
            injecting "${kind%:*}" "${kind#*:}" "$n" --seccomp-bpf
            unset -v data control
            if start "$store" --model m --set WARMUP_REQUESTS=1; then
                # A failed read may leave the service without a version for a poll.
                answer=
                for _ in $(seq 100); do
                    answer=$(retrieve '{"history":["i1","i2"],"k":5,"seed":7}' 2>/dev/null) && break
                    sleep 0.1
                done
                grep -q INJECTED "$box/trace" || { end_traced; break; }
                [ "$(jq -c .items <<<"$answer")" = "$expected" ] || fail "$kind $n at the start: the service answers '$answer': $(cat "$box/serve.log")"
                end_traced
            else
                grep -q INJECTED "$box/trace" || fail "the service does not start: $(cat "$box/serve.log")"
                grep -q 'dimerec: ' "$box/serve.log" || fail "$kind $n at the start: no message"
            fi
            wrapper=()
            starts=$((starts + 1))
            sound "$store" || fail "$kind $n at the start damaged the store"
            n=$(after "$n")
        done
        wrapper=()
    done
}
end_traced() {
    # The tracer passes no signals on, so its child is the one to end.
    pkill -KILL -P "$server" || true
    wait "$server" 2>/dev/null || true
    server=
}

# Changes by the control plane: the n-th call fails while the service makes one change.
inject_changes() {
    local kind n change tracer got failed
    changes=0
    new_store 1 2
    cp "$store" "$box/before.sqlite"
    for kind in "${change_calls[@]}"; do
        for change in activate alias item; do
            n=1
            while [ "$n" -le 1000 ]; do
                again
                unset -v data control
                serve "$store" --model m --set POLL_INTERVAL_MS=86400000 --set WARMUP_REQUESTS=1
                injecting "${kind%:*}" "${kind#*:}" "$n"
                "${wrapper[@]}" -p "$server" &
                tracer=$!
                wrapper=()
                for _ in $(seq 100); do grep -q 'TracerPid:.*[1-9]' "/proc/$server/status" && break; sleep 0.02; done
                case $change in
                activate) got=$(control POST '/v1/models/m/versions/1:activate?wait=true') ;;
                alias) got=$(control PUT /v1/aliases/a '{"model":"m","split":[{"version":2,"percent":100}]}') ;;
                item) got=$(control PUT /v1/items/new '{"like":["i1"]}') ;;
                esac
                kill -INT "$tracer" 2>/dev/null || true
                wait "$tracer" 2>/dev/null || true
                failed=$(grep -c INJECTED "$box/trace" || true)
                [ "$got" = 200 ] || [[ $got == 50[03] ]] || fail "$kind $n: $change answered $got: $(cat "$box/answer")"
                is_done "$change" "$got" || fail "$kind $n: $change answered $got, but $(state "$store") $(cat "$box/answer")"
                kill -KILL "$server"
                wait "$server" 2>/dev/null || true
                server=
                sound "$store" || fail "$kind $n: $change damaged the store"
                is_stored "$change" "$got" || fail "$kind $n: $change answered $got, but after a restart it is otherwise"
                [ "$failed" -gt 0 ] || break
                changes=$((changes + 1))
                n=$(after "$n")
            done
        done
    done
}
# is_done CHANGE STATUS: whether the service and its store agree; after a 200 both must have the change.
is_done() {
    local served stored
    stored=$(has "$1" && echo 1 || echo 0)
    case $1 in
    activate) served=$(retrieve '{"history":["i1"],"k":1}' | jq '2 - .version') ;;
    alias) served=$(retrieve '{"history":["i1"],"k":1,"model":"a"}' >/dev/null 2>&1 && echo 1 || echo 0) ;;
    item) served=$(retrieve '{"history":["new"],"k":1}' | jq '1 - .unknown_ids') ;;
    esac
    [ "$2" != 200 ] || [ "$served$stored" = 11 ] || return 1
    [ "$2" = 200 ] || [ "$served" = "$stored" ] || return 1
}
is_stored() { [ "$2" != 200 ] || has "$1"; }
# has CHANGE: whether the store has it.
has() {
    case $1 in
    activate) [ "$("$program" models list --store "$store" --json | jq '.versions[] | select(.active).version')" = 1 ] ;;
    alias) [ "$("$program" models aliases --store "$store" --json | jq '.aliases | length')" = 1 ] ;;
    item)
        [ -n "${server:-}" ] || { serve "$store" --model m --set WARMUP_REQUESTS=1 && trap 'stop; trap - RETURN' RETURN; }
        curl -fsS "http://127.0.0.1:$control/v1/items" | jq -e '.changes | any(.item == "new")' >/dev/null
        ;;
    esac
}

case_4() {
    local size cut status refused=0
    size=$(stat -c %s "$work/fixture/v2.sqlite")
    new_store 1
    before=$(state "$store")
    for ((cut = 0; cut < size; cut += $(size 32768 4096))); do
        head -c "$cut" "$work/fixture/v2.sqlite" >"$box/cut.sqlite"
        status=0
        "$program" models import --store "$store" --file "$box/cut.sqlite" >/dev/null 2>"$box/run.err" || status=$?
        [ "$status" = 3 ] && [ -s "$box/run.err" ] || fail "cut at $cut: exit $status, $(cat "$box/run.err")"
        refused=$((refused + 1))
    done
    [ "$(state "$store")" = "$before" ] || fail "the store changed to $(state "$store")"
    result "$refused truncated files refused with exit code 3"
}

case_5() {
    local i j k byte bytes size status place refused=0 equal=0 digest files
    files=$(size 60 10000)
    size=$(stat -c %s "$work/fixture/v2.sqlite")
    new_store 2
    digest=$("$program" models list --store "$store" --json | jq -r '.versions[0].digest')
    cp "$store" "$box/before.sqlite"
    for i in $(seq "$files"); do
        cp "$work/fixture/v2.sqlite" "$box/random.sqlite"
        for j in $(seq $((1 + i % 5))); do
            # Half of the places are in the first pages, which hold the schema.
            random $((j % 2 ? size - 16 : 16384))
            place=$drawn
            random 16
            bytes=
            for ((k = 0; k <= drawn; k++)); do printf -v byte '\\x%02x' $((RANDOM % 256)) && bytes+=$byte; done
            printf "$bytes" | dd of="$box/random.sqlite" bs=1 conv=notrunc status=none seek="$place"
        done
        rm -f "$box/import.sqlite"*
        status=0
        (ulimit -t 2 && exec "$program" models import --store "$box/import.sqlite" --file "$box/random.sqlite") >/dev/null 2>"$box/run.err" || status=$?
        case $status in
        0)
            [ "$("$program" models list --store "$box/import.sqlite" --json | jq -r '.versions[0].digest')" = "$digest" ] ||
                fail "file $i was imported with another content"
            equal=$((equal + 1))
            ;;
        3) [ -s "$box/run.err" ] && refused=$((refused + 1)) ;;
        *) cp "$box/random.sqlite" "${TMPDIR:-/tmp}/dimerec-finding.sqlite"
            fail "file $i: exit $status, $(cat "$box/run.err"); the file is ${TMPDIR:-/tmp}/dimerec-finding.sqlite" ;;
        esac
    done
    result "$files files: $refused refused, $equal with equal content, 0 crashes, seed $SEED"
}

case_7() {
    strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace processes here"
    local n status full=0
    keep import
    n=1
    while [ "$n" -le 1000 ]; do
        again
        injecting pwrite64 ENOSPC "$n+" --seccomp-bpf
        status=0
        (run import) || status=$?
        wrapper=()
        grep -q INJECTED "$box/trace" || break
        full=$((full + 1))
        [ "$status" = 0 ] || grep -qi 'space' "$box/run.err" || fail "write $n: exit $status, $(cat "$box/run.err")"
        judge import "$status"
        (run import) || fail "the import does not work after the disk was full: $(cat "$box/run.err")"
        judge import 0
        n=$(size $((n * 3)) $((n + 1)))
    done
    result "$full imports on a full disk, 0 partial states, each repeated with success"
}

case_3() { unit DamageTests DamageMatrixTests OperationsDamageTests; }
case_6() { unit HostileFileTests DamageTests IndexFormatTests; }
case_8() { unit HostileFileTests DamageTests; }
