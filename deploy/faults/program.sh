# shellcheck shell=bash disable=SC2154,SC2034
# Cases of the program itself: fuzzing, sanitizers and whole tests; and the page of results.

case_42() {
    new_store 1 2
    # Without a token, the changes of the control plane are reached too.
    secured=
    serve "$store" --model m
    deploy/install python3
    deploy/fuzz-requests "$data" "$control" "$server" "$(size 6 600)" "$SEED" >"$box/fuzz.log" 2>&1 || fail "$(tail -n 5 "$box/fuzz.log") $(tail -n 3 "$box/serve.log")"
    result "$(sed 's/^fuzz-requests: //' "$box/fuzz.log"); the process lives and answers"
}
case_43() {
    deploy/test-sanitizers thread >"$box/sanitizers.log" 2>&1 || fail "$(tail -n 30 "$box/sanitizers.log")"
    result "$(tail -n 1 "$box/sanitizers.log")${SUITES:+; only the suites $(tr -d "^\\\\.()" <<<"$SUITES")}"
}
case_44() {
    local kinds
    read -ra kinds <<<"${KINDS:-kernels address}"
    deploy/test-sanitizers "${kinds[@]}" >"$box/sanitizers.log" 2>&1 || fail "$(tail -n 30 "$box/sanitizers.log")"
    result "$(tail -n 1 "$box/sanitizers.log")${SUITES:+; only the suites $(tr -d "^\\\\.()" <<<"$SUITES")}"
}
case_48() {
    PARTS=search deploy/test-postgres "$program" >"$box/postgres.log" 2>&1 || fail "$(tail -n 20 "$box/postgres.log")"
    ! grep -q 'skipped: ' "$box/postgres.log" || skip "$(sed -n 's/.*skipped: //p' "$box/postgres.log")"
    result "$(sed -nE 's/^test-postgres: (a stopped .*|[0-9]+ switches .*)/\1/p' "$box/postgres.log" | paste -sd ';')"
}

# write_page PAGE RESULTS: replaces the rows of the cases that ran; the first line of the page's table stays.
write_page() {
    local page=$1 results=$2 number kind title action figure commit
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    {
        sed '/^| case |/,$d' "$page"
        echo '| case | what is done | figure to reach | result | size, date, commit |'
        echo '| --- | --- | --- | --- | --- |'
        rows | while IFS='|' read -r number kind title action figure; do
            local line
            line=$(grep "^$number|" "$results" | tail -n 1 || true)
            if [ -n "$line" ]; then
                IFS='|' read -r _ outcome size text <<<"$line"
                echo "| $number $title | $action | $figure | $outcome: $text | $size, $(date -u +%F), $commit |"
            elif ! grep "^| $number " "$page"; then
                echo "| $number $title | $action | $figure | not run yet | |"
            fi
        done
    } >"$work/page"
    cp "$work/page" "$page"
}
