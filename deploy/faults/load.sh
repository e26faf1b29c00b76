# shellcheck shell=bash disable=SC2154,SC2034
# Cases of load and time: signals, overload, slow clients, logs, clocks, soak.

case_18() {
    local lost
    new_store 1
    serve "$store" --model m --set DRAIN_GRACE_S=1 --set DRAIN_TIMEOUT_S=10
    begin_load 200 60 --connections 50
    sleep "$(size 2 10)"
    stop
    kill -TERM "$loader"
    wait "$loader" || true
    lost=$(jq '.disconnects + .timeouts' "$box/load.json")
    [ "$lost" = 0 ] && [ "$(jq .ok "$box/load.json")" -gt 0 ] || fail "$(cat "$box/load.json")"
    result "$(jq .ok "$box/load.json") requests of 50 connections answered, 0 lost, exit code 0"
}

case_19() {
    new_store 1 2
    serve "$store" --model m --set POLL_INTERVAL_MS=86400000
    begin_load 100 3600
    "$program" models activate --store "$store" --model m --version 1 >/dev/null
    [ "$(retrieve '{"history":["i1"],"k":1}' | jq .version)" = 2 ] || fail "the store was read without a reason"
    kill -HUP "$server"
    for _ in $(seq 100); do [ "$(retrieve '{"history":["i1"],"k":1}' | jq .version)" = 1 ] && break; sleep 0.1; done
    [ "$(retrieve '{"history":["i1"],"k":1}' | jq .version)" = 1 ] || fail "HUP did not read the store"
    kill -PIPE "$server"
    kill -USR1 "$server"
    kill -STOP "$server"
    sleep 1
    kill -CONT "$server"
    retrieve '{"history":["i1"],"k":1}' >/dev/null || fail "no answer after CONT"
    end_load
    result "HUP read the store; $answered requests answered across PIPE, USR1, STOP and CONT, 0 failed"
}

hold() { # MODE COUNT SECONDS: see deploy/faults/hold-connections
    deploy/install python3 >&2
    python3 deploy/faults/hold-connections "$data" "$@"
}

case_32() {
    local mode count rounds round seconds served='dimerec_http_requests_total{route="retrieve",code="200"}' before ahead ratio counts=
    count=$(size 100 1000) rounds=$(size 1 3) seconds=$(size 3 10)
    declare -A held=() lowest=()
    new_store 1
    # The limits are so long that all connections are open together before the first is cut off.
    serve "$store" --model m --set REQUEST_READ_TIMEOUT_MS="$(size 2000 20000)" --set IDLE_TIMEOUT_S="$(size 2 20)"
    for round in $(seq "$rounds"); do
        load 100 "$seconds"
        loads
        note_lowest quiet
        for mode in slow-head slow-body slow-read; do
            before=$(metric "$served")
            begin_load 100 3600
            held[$mode]=$(hold $mode "$count" "$seconds" 60 100) || fail "$mode: ${held[$mode]}"
            end_load
            note_lowest $mode
        done
        # Work for a peer that does not read is bounded, or a thousand of them would take the processor from the others.
        ahead=$((($(metric "$served") - before - answered) / ${held[slow-read]%% *}))
        [ "$ahead" -gt 0 ] && [ "$ahead" -le 16 ] || fail "$ahead answers were computed for each peer that does not read"
    done
    for mode in slow-head slow-body slow-read; do
        ratio=$(bc <<<"scale=2; ${lowest[$mode]} / ${lowest[quiet]}")
        [ "${FULL:-0}" = 0 ] || [ "$(bc <<<"$ratio <= 2")" = 1 ] || fail "p99 beside $mode $ratio of the quiet one: $(cat "$box/p99")"
        counts+="$mode: ${held[$mode]}, p99 beside them $ratio of the quiet one; "
    done
    result "$count at a time, 100 opened a second: $counts$ahead answers of 300 items computed for each slow reader; the lowest p99 of $rounds" \
        "rounds counts$(size ' (not asserted in the small size)' ''); $answered good requests answered beside the last, 0 failed"
}
# note_lowest KIND: keeps the lowest p99 of each kind of round, because other work on the machine only adds to it.
note_lowest() {
    [ -n "${lowest[$1]:-}" ] && [ "${lowest[$1]}" -le "$p99" ] || lowest[$1]=$p99
    echo "$1 $p99 us;" >>"$box/p99"
}

case_33() {
    local count before after descriptors_before held
    # Client and service need a descriptor each.
    count=$(size 1000 10000)
    [ "$(ulimit -Hn)" -gt $((count + 500)) ] || skip "the limit of open files is $(ulimit -Hn)"
    ulimit -n "$(ulimit -Hn)"
    new_store 1
    serve "$store" --model m --set IDLE_TIMEOUT_S=600 --set MAX_CONNECTIONS=$((count + 200))
    load 100 2
    loads
    before=$(rss) descriptors_before=$(descriptors)
    hold idle "$count" "$(size 8 60)" >"$box/held" &
    held=$!
    for _ in $(seq 600); do [ "$(descriptors)" -lt $((descriptors_before + count)) ] || break; sleep 0.1; done
    [ "$(descriptors)" -ge $((descriptors_before + count)) ] || fail "only $(($(descriptors) - descriptors_before)) connections are open"
    after=$(rss)
    load 100 "$(size 3 30)"
    loads
    wait $held || fail "$(cat "$box/held")"
    for _ in $(seq 100); do [ "$(descriptors)" -gt $((descriptors_before + 10)) ] || break; sleep 0.1; done
    [ "$(descriptors)" -le $((descriptors_before + 10)) ] || fail "$(descriptors) descriptors stay open, before there were $descriptors_before"
    [ $(((after - before) / count)) -lt 32 ] || fail "$((after - before)) KiB for $count connections"
    result "$count idle connections, $(bc <<<"scale=1; ($after - $before) / $count") KiB each, $answered good requests answered, 0 failed; all descriptors freed"
}

case_38() {
    local capacity before during
    new_store 1
    # Overload must be visible, so the limits are the defaults.
    serve "$store" --model m --set QUEUE_DELAY_MS=20
    load 1 "$(size 3 10)" --saturate
    capacity=$(jq '.achieved_rate | round' "$box/load.json")
    before=$(rss)
    load $((3 * capacity)) "$(size 5 60)" --connections 64 --timeout-ms 1000
    during=$(rss)
    jq -e '[.statuses | keys[] | select(. != "200" and . != "503" and . != "504")] == [] and .disconnects == 0' "$box/load.json" >/dev/null || fail "$(cat "$box/load.json")"
    local ok shed
    ok=$(jq '.achieved_rate | round' "$box/load.json") shed=$(jq .shed "$box/load.json")
    [ "$ok" -gt 0 ] && [ $((during - before)) -lt 65536 ] || fail "memory $before, then $during KiB; $(cat "$box/load.json")"
    load 50 3
    loads
    result "capacity $capacity/s; at three times that $ok/s answered, $shed shed, memory grew by $(((during - before) / 1024)) MiB; then $answered requests at 50/s, 0 failed"
}

case_45() {
    local day=86400
    new_store 1 2
    echo 0 >"$box/clock"
    clang -shared -fPIC -O1 -o "$box/clock.so" deploy/faults/clock.c -ldl
    wrapper=(env LD_PRELOAD="$box/clock.so" CLOCK_FILE="$box/clock")
    # Short limits: a jump of the clock must neither end a connection or request early nor keep one open.
    serve "$store" --model m --set REQUEST_READ_TIMEOUT_MS=20000 --set DEADLINE_MS=20000 --set IDLE_TIMEOUT_S=2
    wrapper=()
    begin_load 50 3600
    local jump seen=0 begun idle
    for jump in $day -$day 0; do
        # A connection that is idle while the clock jumps is closed after its two seconds, neither at once nor a day later.
        begun=${EPOCHREALTIME/./}
        (exec 3<>"/dev/tcp/127.0.0.1/$data" && timeout 20 cat <&3 >/dev/null) &
        idle=$!
        sleep 0.5
        echo "$jump" >"$box/clock"
        activate $((seen % 2 + 1))
        wait $idle || fail "an idle connection stays open"
        [ $(((${EPOCHREALTIME/./} - begun) / 1000)) -ge 1900 ] || fail "an idle connection was closed after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
        sleep "$(size 0 5)"
        # The service does see the jump: the date of its answers says so.
        curl -s -D "$box/head" -o /dev/null "http://127.0.0.1:$data/health/live"
        local date
        date=$(sed -n 's/^[Dd]ate: //p' "$box/head" | tr -d '\r')
        [ "$(($(date +%s) + jump - $(date -d "$date" +%s)))" -lt 600 ] && [ "$(($(date +%s) + jump - $(date -d "$date" +%s)))" -gt -600 ] ||
            fail "the service's date is $date after a jump of $jump s"
        seen=$((seen + 1))
    done
    end_load
    result "$seen jumps of up to two days seen by the service, $answered requests answered, 0 failed, $seen activations, $seen idle connections closed in time"
}

case_46() {
    local reader
    new_store 1
    mkfifo "$box/pipe"
    # `serve` reads its ports from the log, so the log's reader copies the first lines.
    (
        trap - EXIT
        count=0
        while [ $count -lt 2 ] && IFS= read -r line; do
            echo "$line"
            [[ $line != *'plane listens'* ]] || count=$((count + 1))
        done <"$box/pipe" >"$box/first.log"
    ) &
    reader=$!
    echo "$token" >"$box/token"
    "$program" serve --store "$store" --model m --port 0 --control-port 0 --set CONTROL_TOKEN_FILE="$box/token" --set QUEUE_DELAY_MS=10000 \
        --set LOG_LEVEL=trace 2>"$box/pipe" &
    server=$!
    wait $reader
    data=$(sed -n 's/.*"http.port":"\([0-9]*\)".*"message":"data plane listens".*/\1/p' "$box/first.log")
    control=$(sed -n 's/.*"http.port":"\([0-9]*\)".*"message":"control plane listens".*/\1/p' "$box/first.log")
    for _ in $(seq 200); do [ "$(status_of /health/ready)" = 200 ] && break; sleep 0.1; done
    load 100 "$(size 3 30)"
    loads
    local dropped
    dropped=$(metric dimerec_log_dropped_total)
    [ "$dropped" != 0 ] || fail "no dropped line is counted"
    kill -TERM "$server"
    wait "$server" || fail "serve exited with $?"
    server=
    result "$answered requests answered without a reader of the log, 0 failed; dropped lines counted: $dropped"
}

case_47() {
    local seconds end round=0 change
    seconds=$(size 15 1800)
    new_store 1 2 3
    serve "$store" --model m
    local first_descriptors first_threads late_threads
    swaps 6
    expect 200 PUT /v1/items/soak-0 '{"like":["i1"]}'
    sleep 2
    # Without load, because the load opens more connections whenever the machine stands still for a moment.
    first_descriptors=$(descriptors)
    begin_load "$(size 100 500)" 7200
    swaps 6
    sleep 2
    first_threads=$(threads)
    end=$((SECONDS + seconds))
    while [ $SECONDS -lt $end ]; do
        round=$((round + 1))
        # The same items change again and again, so that the number of changes is bounded.
        expect 200 PUT "/v1/items/soak-$((round % 20))" "{\"like\":[\"i$((round % 300))\"]}"
        [ $((round % $(size 3 10))) != 0 ] || activate $((round / $(size 3 10) % 3 + 1))
        echo "$SECONDS $(rss) $(descriptors) $(threads)" >>"$box/samples"
        sleep 1
    done
    sleep 3
    late_threads=$(threads)
    end_load
    for _ in $(seq 100); do [ "$(descriptors)" -gt "$first_descriptors" ] || break; sleep 0.1; done
    [ "$(descriptors)" -le "$first_descriptors" ] && [ "$late_threads" -le "$first_threads" ] ||
        fail "descriptors $first_descriptors and $(descriptors), threads $first_threads and $late_threads"
    # The slope of the second half of the samples, by least squares, in KiB a minute.
    local slope
    slope=$(awk '{ t[NR] = $1; m[NR] = $2 }
        END { for (i = int(NR / 2) + 1; i <= NR; i++) { n++; x += t[i]; y += m[i]; xx += t[i] * t[i]; xy += t[i] * m[i] }
              d = n * xx - x * x; printf "%d", d ? 60 * (n * xy - x * y) / d : 0 }' "$box/samples")
    [ "${FULL:-0}" = 0 ] || [ "$slope" -le 1024 ] || fail "resident memory grows by $slope KiB a minute"
    result "$seconds s, $round item changes, $answered requests answered, 0 failed; descriptors without load $first_descriptors and $(descriptors), threads $first_threads and $late_threads; memory $slope KiB a minute$(size ' (not asserted in the small size)' '')"
}

case_49() {
    local i
    command -v promtool >/dev/null || skip "promtool is missing (apt-get install prometheus)"
    new_store 1 2
    serve "$store" --model m
    begin_load 100 3600
    for i in $(seq "$(size 5 100)"); do
        activate $((i % 2 + 1))
        curl -fsS "http://127.0.0.1:$control/metrics" >"$box/metrics"
        [ -z "$(promtool check metrics <"$box/metrics" 2>&1)" ] || fail "$(promtool check metrics <"$box/metrics" 2>&1)"
    done
    end_load
    result "$i scrapes under load, 0 complaints"
}
