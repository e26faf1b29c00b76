# shellcheck shell=bash disable=SC2154,SC2034
# Cases of nightly rounds: kills in every stage.

stages=(reading training checking judging publishing finishing)
histories=('i5,i7,i9' 'new1,i50,i51' 'i17')

# retrain [STAGE]: runs a round; with a stage, kills it at a random moment of this stage. Sets $code, $reached (the last
# stage that began), and without a stage $spent (microseconds of each stage).
retrain() {
    local line begun delay
    reached=none
    "$program" retrain --config "$box/retrain.json" --json >"$box/round.json" 2>"$box/round.pipe" &
    local round=$!
    while IFS= read -r line; do
        echo "$line"
        [[ $line =~ \"stage\":\"([a-z]+)\" ]] || continue
        [ -n "${1:-}" ] || [ "$reached" = none ] || spent[$reached]=$((${EPOCHREALTIME/./} - begun))
        begun=${EPOCHREALTIME/./}
        reached=${BASH_REMATCH[1]}
        [ "$reached" = "${1:-}" ] || continue
        # The clock of the kill: nothing is ever written into this pipe. A new process, such as `sleep`, takes longer
        # than some stages.
        random "${spent[$1]}"
        printf -v delay '%d.%06d' $((drawn / 1000000)) $((drawn % 1000000))
        read -rt "$delay" -u 9 || true
        kill -KILL "$round" 2>/dev/null || true
    done <"$box/round.pipe" >"$box/round.log"
    [ -n "${1:-}" ] || spent[$reached]=$((${EPOCHREALTIME/./} - begun))
    code=0
    wait "$round" 2>/dev/null || code=$?
}
# answers: those of the store's active version to all histories, in one line each; served_answers: those of the service.
answers() {
    local history
    for history in "${histories[@]}"; do
        "$program" query --store "$store" --model m --history "$history" -k 20 --seed 3 --json | jq -cS 'del(.request_id)'
    done
}
served_answers() {
    local history
    for history in "${histories[@]}"; do
        retrieve "{\"history\":[\"${history//,/\",\"}\"],\"k\":20,\"seed\":3}" | jq -cS 'del(.request_id)'
    done
}

case_51() {
    local day code reached old new unpruned wanted i state_now expected killed=0 kept=0 changed=0 compared=0 published=0 idle=0 served=0 count
    declare -A spent=() hit=()
    count=$(size 12 100)
    store=$box/store.sqlite
    mkfifo "$box/round.pipe" "$box/clock.pipe"
    exec 9<>"$box/clock.pipe"
    # A continued training of one to two seconds, which saves its state four times.
    cat >"$box/recipe.json" <<'JSON'
{"model": {"dimension": 32, "historyLength": 20, "denoiser": {"hidden": 32}, "guidance": {"hidden": 32}},
 "training": {"maxSteps": 80, "validateEvery": 40, "negatives": {"count": 64}}, "counts": {"enabled": true},
 "continuation": {"share": 1}}
JSON
    configure() { # KEEP
        echo '{"store": "store.sqlite", "model": "m", "events": "events.csv", "recipe": "recipe.json", "keep": '"$1"',
            "metrics": "retrain.prom", "record": "record.json"}' >"$box/retrain.json"
    }
    configure 2
    for day in 3 4; do
        deploy/simulate-days "$box" "$day"
        retrain
        [ "$code" = 0 ] || fail "the round of day $day exited with $code: $(tail -n 3 "$box/round.log")"
    done
    # The round that will be killed: undisturbed, with all versions kept and without the oldest.
    deploy/simulate-days "$box" 5
    cp "$store" "$box/before.sqlite"
    cp "$box/record.json" "$box/before.json"
    cp "$box/retrain.prom" "$box/before.prom"
    before=$(state "$store") old=$(answers)
    again() {
        rm -f "$store"*
        cp "$box/before.sqlite" "$store"
        cp "$box/before.json" "$box/record.json"
        cp "$box/before.prom" "$box/retrain.prom"
    }
    configure 9
    retrain
    unpruned=$(state "$store")
    again
    configure 2
    retrain
    [ "$code" = 0 ] && [ "$reached" = finishing ] || fail "the round exited with $code in stage $reached: $(tail -n 3 "$box/round.log")"
    after=$(state "$store") new=$(answers)
    [ "$before" != "$after" ] && [ "$unpruned" != "$after" ] && [ "$old" != "$new" ] || fail "the round changes nothing"
    sound "$store" || fail "the round left a damaged store"
    # A reader may leave SQLite's own files; the service has a log and a token.
    files() { ls -I 'store.sqlite-*' -I serve.log -I token "$box"; }
    files >"$work/files"

    for ((i = 0; i < count; i++)); do
        again
        wanted=${stages[i % ${#stages[@]}]}
        retrain "$wanted"
        [ "$code" != 137 ] || { killed=$((killed + 1)) && hit[$reached]=$((${hit[$reached]:-0} + 1)); }
        echo "kill $i: stage $reached, exit code $code"
        sound "$store" || fail "kill $i in stage $reached left a damaged store"
        state_now=$(state "$store")
        case $state_now in
        "$before") [ "$reached" != finishing ] || fail "kill $i: the version is not active after stage publishing" ;;
        "$unpruned" | "$after") [ "$reached" = publishing ] || [ "$reached" = finishing ] || fail "kill $i: a version before stage publishing" ;;
        *) fail "kill $i in stage $reached left $state_now; before $before, after $after" ;;
        esac
        # The record and the metric file are whole: those of the last round or of this one.
        jq -e '.outcome == "published"' "$box/record.json" >/dev/null && grep -q '^dimerec_retrain_new_events' "$box/retrain.prom" ||
            fail "kill $i left a part of the record"
        [ "$state_now" = "$before" ] && kept=$((kept + 1)) expected=$old || changed=$((changed + 1)) expected=$new
        [ "$(answers)" = "$expected" ] || fail "kill $i in stage $reached: the answers are not those of the active version"
        # Now and then a service starts over the store as it is, and follows the next round.
        if ((i % 10 == 0)); then
            served=$((served + 1))
            unset -v data control
            serve "$store" --model m --set POLL_INTERVAL_MS=100 --set WARMUP_REQUESTS=5 --set DRAIN_GRACE_S=0
            [ "$(served_answers)" = "$expected" ] || fail "kill $i in stage $reached: the service's answers are not those of the active version"
        fi
        retrain
        if [ "$state_now" = "$before" ]; then
            [ "$code" = 0 ] && [ "$(state "$store")" = "$after" ] ||
                fail "the round after kill $i exited with $code and left $(state "$store"): $(tail -n 3 "$box/round.log")"
            published=$((published + 1))
        else
            [ "$code" = 5 ] && [ "$(state "$store")" = "$state_now" ] || fail "the round after kill $i exited with $code: $(tail -n 3 "$box/round.log")"
            idle=$((idle + 1))
        fi
        [ "$(answers)" = "$new" ] || fail "after the round that follows kill $i the answers are not those of the new version"
        compared=$((compared + 2 * ${#histories[@]}))
        if [ -n "${server:-}" ]; then
            for _ in $(seq 600); do [ "$(retrieve '{"history":[],"k":1}' | jq .version)" != 3 ] || break; sleep 0.1; done
            [ "$(served_answers)" = "$new" ] || fail "the service does not follow the round after kill $i"
            compared=$((compared + 2 * ${#histories[@]}))
            stop
        fi
        files | cmp -s - "$work/files" || fail "kill $i changed the files: $(files | comm -3 "$work/files" - | paste -sd ' ')"
    done
    [ "$killed" -gt 0 ] || fail "no round was killed"
    local counts=
    for wanted in "${stages[@]}"; do counts+="$wanted ${hit[$wanted]:-0}, "; done
    result "$killed of $count rounds killed before their end (${counts%, }); then the old version was active $kept times and the" \
        "new one $changed times; 0 damaged stores, $compared answers equal to those of their version, some of them by $served" \
        "services over the store; $published next rounds published the same version, $idle found it published"
}
