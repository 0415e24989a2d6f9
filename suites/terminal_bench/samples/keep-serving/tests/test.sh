#!/bin/bash
# Nothing is started here: what the agent started must be there still.
ask() {
    exec 3<> /dev/tcp/127.0.0.1/8642 || return 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    timeout 5 cat <&3
    exec 3>&-
}
reward=1
for round in 1 2 3; do
    ask /health | tr -d '\r' | awk 'NR == 1 { s = / 200 / } END { exit !(s && $0 == "ok") }' || reward=0
done
ask /other | awk 'NR == 1 { exit !/ 404 / }' || reward=0
echo "$reward" > /logs/verifier/reward.txt
