#!/bin/sh
# Runs in a sandbox of its own, where only the declared artifact of the agent's is.
awk 'function prime(n,  d) { for (d = 2; d * d <= n; d++) if (n % d == 0) return 0; return n > 1 }
     { if ($0 !~ /^[0-9]+$/ || $0 + 0 <= last || !prime($0 + 0)) bad = 1; last = $0 + 0 }
     END { exit bad || NR != 1229 }' /app/primes.txt && reward=1 || reward=0
[ -e /solution ] && reward=0
echo "$reward" > /logs/verifier/reward.txt
