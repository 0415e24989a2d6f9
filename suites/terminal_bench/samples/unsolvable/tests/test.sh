#!/bin/sh
if [ "$(sha256sum < /app/secret.txt | cut -d' ' -f1)" = "$(cat /app/target.sha256)" ]; then
    echo 1 > /logs/verifier/reward.txt
else
    echo 0 > /logs/verifier/reward.txt
fi
