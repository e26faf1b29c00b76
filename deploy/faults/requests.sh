# shellcheck shell=bash disable=SC2154,SC2034
# Cases of requests: bodies, framing, paths, tokens.

case_20() { unit JSONConformanceTests; }
case_21() { unit JSONConformanceTests JSONReaderTests; }
case_22() { unit JSONConformanceTests JSONDifferentialTests LogTests; }
case_23() { unit RetrievalRequestReaderTests RetrievalBatchReaderTests ContractTests; }
case_24() { unit RetrievalRequestReaderTests ControlPlaneAccessTests SnapshotBuilderTests; }
case_25() { unit RetrievalRequestReaderTests RetrievalServiceTests; }
case_26() { unit RetrievalServiceTests DataPlaneTests; }
case_27() { unit ConformanceTests PartitionedIndexTests SnapshotBuilderTests; }
case_28() { unit FilterOracleTests RecallTests; }
case_29() {
    unit RecallTests PartitionedIndexTests
    [ "${FULL:-0}" = 1 ] || return 0
    "$program" bench index --synthetic 1000000 -k 10 --json >"$box/index.json"
    result "1,000,000 items of 64 elements, recall@10 by effort: $(jq -r '[.rows[] | "\(.effort // .index): \(.recall)"] | join(", ")' "$box/index.json")"
}
case_34() {
    unit FramingTests
    [ "${FULL:-0}" = 1 ] || return 0
    local line=$(cat "$work/result")
    deploy/test-replicas "$program"
    result "$line; deploy/test-replicas: ok"
}
case_39() { unit DeadlineTests OverloadTests; }
case_40() {
    local seconds
    seconds=$(size 10 300)
    deploy/test-contract "$program" "$seconds" >"$box/contract.log" 2>&1 || fail "$(tail -n 40 "$box/contract.log")"
    ! grep -q 'skipped, ' "$box/contract.log" || skip "$(sed -n 's/.*skipped, //p' "$box/contract.log")"
    result "runs of $seconds s without a finding: $(sed -n 's/^test-contract: \(.*\): */\1: /p' "$box/contract.log" | tr -s ' ' | paste -sd ';')"
}

case_30() {
    local loops first= common total=0
    new_store 1
    for loops in 1 4 16; do
        unset -v data control
        serve "$store" --model m --set SERVE_THREADS=$loops
        check --duration "$(size 2 60)" --clients 8 --seed "$SEED" --answers "$box/answers.$loops" >"$box/check.json" || fail "$(cat "$box/check.json")"
        total=$((total + $(jq .equal "$box/check.json")))
        stop
        # A request has the same number in every run; its client is that number modulo 8.
        sort "$box/answers.$loops" >"$box/sorted.$loops"
        if [ -z "$first" ]; then first=$loops; continue; fi
        common=$(comm -12 <(jq -r .requestID "$box/sorted.$first" | sort) <(jq -r .requestID "$box/sorted.$loops" | sort) | wc -l)
        [ "$common" -gt 0 ] && [ "$(comm -12 "$box/sorted.$first" "$box/sorted.$loops" | wc -l)" = "$common" ] ||
            fail "1 and $loops event loops gave different answers to some of $common requests"
    done
    result "$total answers by 1, 4 and 16 event loops equal to those of the store, and to each other where requests are common"
}

# raw FILE: sends a file to the data plane, and prints what comes back within two seconds.
raw() { exec 3<>"/dev/tcp/127.0.0.1/$data" && cat "$1" >&3 && timeout "${2:-2}" cat <&3 || true; exec 3>&-; }

case_31() {
    local before i answer sent=0
    new_store 1
    serve "$store" --model m --set REQUEST_READ_TIMEOUT_MS=60000
    retrieve '{"history":["i1"],"k":1}' >/dev/null
    before=$(rss)
    printf 'POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 262145\r\n\r\n' >"$box/head"
    [[ $(raw "$box/head") == 'HTTP/1.1 413'* ]] || fail "a length above the limit: $(raw "$box/head")"
    head -c 65536 /dev/zero | tr '\0' ' ' >"$box/chunk"
    for i in $(seq "$(size 20 500)"); do
        exec 3<>"/dev/tcp/127.0.0.1/$data"
        printf 'POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n' >&3
        # The service answers and closes; then the sender's writes fail.
        (trap '' PIPE; for _ in $(seq 100); do { printf '10000\r\n' && cat "$box/chunk" && printf '\r\n'; } 2>/dev/null || exit 0; done) >&3 &
        answer=$(timeout 60 head -c 12 <&3 || true)
        wait $!
        exec 3>&-
        [ "$answer" = 'HTTP/1.1 413' ] || fail "endless chunks: '$answer'"
        sent=$((sent + 1))
    done
    [ $(($(rss) - before)) -lt 16384 ] || fail "resident memory grew from $before to $(rss) KiB"
    result "1 long and $sent endless bodies answered with 413, resident memory grew by $((($(rss) - before) / 1024)) MiB"
}

case_35() {
    local path code count=0
    new_store 1
    serve "$store" --model m
    local long
    long=$(head -c 65536 /dev/zero | tr '\0' a)
    for path in /../../etc/passwd /..%2f..%2fetc/passwd /%2e%2e/%2e%2e/etc/passwd /v1/items/..%2f..%2fetc%2fpasswd \
        /v1/items/%00 /v1/items/%ff //etc/passwd /static/../../etc/passwd '/v1/items/i1%00.txt' "/$long" '/\..\..\etc\passwd' \
        '/v1/models/..%2f..%2fstore.sqlite' '/?file=/etc/passwd' /v2/models/%2e%2e/ready; do
        for port in "$data" "$control"; do
            code=$(curl -s --path-as-is --max-time 20 -o "$box/answer" -w '%{http_code}' "http://127.0.0.1:$port$path")
            # A query changes nothing about the page of the dashboard, and an unknown item is an answer.
            [[ $code == 4?? ]] || [[ $code == 200 && ( $path == "/?"* || $path == /v1/items/* ) ]] || fail "${path:0:60} answered $code"
            ! grep -q 'root:\|SQLite format' "$box/answer" || fail "${path:0:60} returned a file"
            count=$((count + 1))
        done
    done
    printf 'GET /v1/items/\0 HTTP/1.1\r\nHost: x\r\n\r\n' >"$box/nul"
    [[ $(raw "$box/nul") == 'HTTP/1.1 400'* ]] || fail "NUL: $(raw "$box/nul" | head -n 1)"
    result "$((count + 1)) targets: none returned a file, none answered 5xx"
}

case_36() {
    local tries rounds kind right wrong header count=0 codes
    tries=$(size 500 20000) rounds=$(size 6 200)
    new_store 1
    serve "$store" --model m
    right=${token:0:31}x wrong=x${token:1}
    # Both kinds alternate in short runs, so that the machine's state is the same for both.
    for _ in $(seq "$rounds"); do
        for kind in right wrong; do
            curl -s -o /dev/null -w '%{http_code} %{time_starttransfer}\n' -X POST -H "Authorization: Bearer ${!kind}" \
                "http://127.0.0.1:$control/v1/models/m:rollback?try=[1-$((tries / rounds))]" >>"$box/$kind"
        done
    done
    codes=$(cut -d' ' -f1 "$box/right" "$box/wrong" | sort | uniq -c | awk '{ print $2 ": " $1 }' | paste -sd ' ')
    [[ $codes =~ ^401:\ [0-9]+$ ]] || fail "codes $codes"
    for header in 'X: y' 'Authorization: Bearer' 'Authorization: Basic abc' "Authorization: Bearer $token$token" "Authorization: Bearer ${token:0:31}"; do
        [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "$header" "http://127.0.0.1:$control/v1/models/m:rollback")" = 401 ] || fail "accepted: $header"
        count=$((count + 1))
    done
    median() { cut -d' ' -f2 "$1" | sort -g | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] * 1e6 }'; }
    local ratio
    ratio=$(bc <<<"scale=3; $(median "$box/right") / $(median "$box/wrong")")
    # A short run is too noisy for a bound.
    [ "${FULL:-0}" = 0 ] || [ "$(bc <<<"$ratio > 0.8 && $ratio < 1.25")" = 1 ] || fail "the medians' ratio is $ratio"
    result "$codes; the last byte wrong against the first: medians' ratio $ratio$(size ' (not asserted in the small size)' ''); $count other headers refused"
}

case_37() {
    local path
    new_store 1
    serve "$store" --model m --set LOG_LEVEL=trace --set TRACE_FILE="$box/spans" --set TRACE_SAMPLE=1
    for path in /version /v1/models /nope /v1/models/m /metrics /debug/requests?seconds=60 /openapi.json /; do
        curl -s -i -H "Authorization: Bearer $token" "http://127.0.0.1:$control$path" >>"$box/answers"
        curl -s -i -H "Authorization: Bearer $token" -H "Cookie: $token" "http://127.0.0.1:$data$path" >>"$box/answers"
    done
    expect 404 POST /v1/models/m/versions/9:activate
    cat "$box/answer" >>"$box/answers"
    retrieve '{"history":["i1"],"k":1}' >>"$box/answers"
    "$program" settings 2>&1 | tr -d '\0' >>"$box/answers"
    sleep 0.5
    ! grep -q "$token" "$box/answers" "$box/serve.log" "$box/spans" || fail "the token is in $(grep -l "$token" "$box/answers" "$box/serve.log" "$box/spans")"
    result "0 hits in $(wc -l <"$box/serve.log") log lines, $(cat "$box/spans" 2>/dev/null | wc -l) spans and $(wc -c <"$box/answers") bytes of answers"
}

case_41() {
    local findings
    new_store 1
    serve "$store" --model m
    curl -s -D "$box/head" -o /dev/null "http://127.0.0.1:$control/"
    grep -qi '^content-security-policy:' "$box/head" || fail "no content security policy: $(cat "$box/head")"
    grep -qi '^x-content-type-options: nosniff' "$box/head" || fail "no nosniff: $(cat "$box/head")"
    result "a content security policy and nosniff"
    [ "${FULL:-0}" = 1 ] || return 0
    deploy/install wapiti
    wapiti -u "http://127.0.0.1:$control/" --flush-session -f json -o "$box/wapiti.json" >/dev/null 2>&1 || fail "wapiti ended with $?"
    # Browsers ignore HSTS over plain HTTP, and no current one has the filter that X-XSS-Protection would switch on.
    findings=$(jq -c '[.vulnerabilities[][].info | select(test("^(Strict-Transport-Security|X-XSS-Protection) is not set$") | not)]' "$box/wapiti.json")
    [ "$findings" = '[]' ] || fail "$findings"
    result "a content security policy and nosniff; wapiti: 0 findings besides HSTS and X-XSS-Protection, which plain HTTP and current browsers do not use"
}
