# shellcheck shell=bash disable=SC2154,SC2034
# Common functions of the cases: a trained fixture, a running service, and requests.

# size SMALL FULL: the size of a case.
size() { [ "${FULL:-0}" = 0 ] && echo "$1" || echo "$2"; }
fail() { echo "$*" >&2; exit 1; }
skip() { echo "skipped: $*" >"$work/result"; exit 77; }
result() { echo "$*" >"$work/result"; }
end_case() { [ -z "${server:-}" ] || kill -KILL "$server" 2>/dev/null || true; }
# random N: sets `drawn` to a number below N; a command substitution would not continue the sequence of SEED.
random() { drawn=$(((RANDOM * 32768 + RANDOM) % $1)); }
# pause N: sleeps for a random time below N milliseconds.
pause() { random "$1"; sleep "$(printf '%d.%03d' $((drawn / 1000)) $((drawn % 1000)))"; }

make_fixture() { # Trains three small versions and exports each.
    if [ -n "${FIXTURE:-}" ] && [ -e "$FIXTURE/v3.sqlite" ]; then
        cp -r "$FIXTURE" "$work/fixture"
        return
    fi
    mkdir "$work/fixture"
    deploy/simulate-events "$work/fixture"
    cat >"$work/fixture/recipe.json" <<'JSON'
{"model": {"historyLength": 20, "denoiser": {"hidden": 32}, "guidance": {"hidden": 32}},
 "training": {"maxSteps": 20, "validateEvery": 20, "negatives": {"count": 256}}}
JSON
    local seed
    for seed in 1 2 3; do
        train "$work/fixture/store.sqlite" $seed >"$work/log" 2>&1 || fail "train: $(cat "$work/log")"
        "$program" models export --store "$work/fixture/store.sqlite" --model m --version $seed \
            --output "$work/fixture/v$seed.sqlite" >/dev/null
    done
    [ -z "${FIXTURE:-}" ] || cp -r "$work/fixture" "$FIXTURE"
}
train() { # STORE SEED
    "$program" train --recipe "$work/fixture/recipe.json" --events "$work/fixture/events.csv" \
        --items "$work/fixture/items.csv" --store "$1" --model m --seed "$2" --json
}
# new_store VERSION...: makes $store hold these versions, the last one active.
new_store() {
    store=$box/store.sqlite
    rm -f "$store"*
    local version
    for version in "$@"; do "$program" models import --store "$store" --file "$work/fixture/v$version.sqlite" >/dev/null; done
}
# sound STORE: whether every version and row of a store is intact.
sound() { "$program" doctor --store "$1" >"$box/doctor" 2>&1 || [ $? != 3 ] || { cat "$box/doctor" >&2; return 1; }; }
# state STORE: its versions, the active one, and its aliases, in one line.
state() {
    "$program" models list --store "$1" --json |
        jq -c '[.versions[] | [.model, .version, .active, .items, (.damaged // false)]]' | tr -d '\n'
    "$program" models aliases --store "$1" --json | jq -c '[.aliases[] | [.name, .split]]'
}

# serve STORE [ARGUMENT...]: starts the service and waits until it is ready; sets $server, $data and $control. The
# command in the array `wrapper` runs it.
wrapper=()
token=0123456789abcdef0123456789abcdef
secured=1
start() { # STORE [ARGUMENT...]
    local access=()
    echo "$token" >"$box/token"
    [ -z "$secured" ] || access=(--set CONTROL_TOKEN_FILE="$box/token")
    # A shared machine may stand still for seconds. The service would rightly refuse the request that waits meanwhile.
    : >"$box/serve.log"
    "${wrapper[@]}" "$program" serve --store "$1" --port "${data:-0}" --control-port "${control:-0}" \
        "${access[@]}" --set RETAIN_VERSIONS=0 --set QUEUE_DELAY_MS=10000 "${@:2}" 2>>"$box/serve.log" &
    server=$!
    local _
    for _ in $(seq 600); do
        data=$(sed -n 's/.*"http.port":"\([0-9]*\)".*"message":"data plane listens".*/\1/p' "$box/serve.log")
        control=$(sed -n 's/.*"http.port":"\([0-9]*\)".*"message":"control plane listens".*/\1/p' "$box/serve.log")
        [ -z "$data" ] || [ -z "$control" ] || return 0
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
serve() {
    start "$@" || fail "the service did not start: $(cat "$box/serve.log")"
    local _
    for _ in $(seq 600); do
        [ "$(status_of /health/ready)" != 200 ] || return 0
        sleep 0.05
    done
    fail "the service is not ready: $(cat "$box/serve.log")"
}
stop() { kill -TERM "$server"; wait "$server" || fail "serve exited with $? on SIGTERM"; server=; }
status_of() { curl -s -o /dev/null -w '%{http_code}' --max-time 20 "http://127.0.0.1:$data$1" || true; }
# control METHOD PATH [BODY]: sends a change; prints its status, with the answer in $box/answer.
control() {
    local body=()
    [ $# -lt 3 ] || body=(-d "$3" -H 'Content-Type: application/json')
    curl -s --max-time 300 -X "$1" -H "Authorization: Bearer $token" -o "$box/answer" -w '%{http_code}' "${body[@]}" \
        "http://127.0.0.1:$control$2" || true
}
expect() { # STATUS METHOD PATH [BODY]
    local got
    got=$(control "${@:2}")
    [ "$got" = "$1" ] || fail "$2 $3 answered $got instead of $1: $(cat "$box/answer")"
}
activate() { expect 200 POST "/v1/models/m/versions/$1:activate?wait=true"; }
retrieve() { curl -fsS --max-time 20 "http://127.0.0.1:$data/retrieve" -H 'Content-Type: application/json' -d "$1"; }
metric() { curl -fsS "http://127.0.0.1:$control/metrics" | awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }'; }
# load RATE SECONDS [ARGUMENT...]: open-loop load; the report is $box/load.json.
load() { begin_load "$@"; wait "$loader" || true; }
# begin_load RATE SECONDS [ARGUMENT...]: the same in the background, as $loader; `end_load` ends it.
begin_load() {
    "$program" load --url "http://127.0.0.1:$data" --history-from "$work/fixture/events.csv" --history-length 1-20 \
        --rate "$1" --duration "$2" --warm-up 0 --timeout-ms 20000 --json "${@:3}" >"$box/load.json" 2>"$box/load.log" &
    loader=$!
}
# loads: the load must have answered everything; sets $answered and $p99.
loads() {
    answered=$(jq .ok "$box/load.json") p99=$(jq '.p99_us | round' "$box/load.json")
    jq -e '.errors == 0 and .sent == .ok and .ok > 0' "$box/load.json" >/dev/null || fail "load: $(cat "$box/load.json" "$box/load.log")"
}
end_load() { kill -TERM "$loader" 2>/dev/null || true; wait "$loader" || true; loads; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
# descriptors: without up to 13 of the store: SQLite has one writer and opens up to five readers when reads meet.
descriptors() {
    local own
    own=$(find "/proc/$server/fd" -lname "$store*" | wc -l)
    echo $(($(ls "/proc/$server/fd" | wc -l) - (own < 13 ? own : 13)))
}
threads() { ls "/proc/$server/task" | wc -l; }
check() { "$program" check --store "$store" --url "http://127.0.0.1:$data" --json "$@"; }

# unit SUITE...: runs suites of the unit tests.
unit() {
    local configuration=${CONFIGURATION:-} filter
    [ -n "$configuration" ] || configuration=$([[ $program == *debug* ]] && echo debug || echo release)
    filter=$(IFS='|'; echo "$*")
    swift test -c "$configuration" --skip-build --filter "\\.($filter)(/|\$)" >"$box/unit.log" 2>&1 || fail "$(grep -E '✘|error' "$box/unit.log" | tail -n 20)"
    local line
    line=$(grep -oE 'Test run with [0-9]+ tests? in [0-9]+ suites? passed' "$box/unit.log" | tail -n 1)
    [ -n "$line" ] && [[ $line != *'with 0 tests'* ]] || fail "no test ran: $(tail -n 5 "$box/unit.log")"
    result "$(sed -E 's/Test run with (.*) passed/\1, all passed/' <<<"$line")"
}
