#!/bin/sh
# A partial reward beside the whole one: both keys are in reward.json, "reward" is the score.
right=$(awk 'NR == FNR { want[$0]; next } $0 in want { n++ } END { print n + 0 }' /tests/expected.csv /app/report.csv)
all=$(wc -l < /tests/expected.csv)
if cmp /tests/expected.csv /app/report.csv; then reward=1; else reward=0; fi
printf '{"reward": %d, "lines": %s}\n' "$reward" "$(awk -v a="${right:-0}" -v b="$all" 'BEGIN { print a / b }')" \
    > /logs/verifier/reward.json
