#!/bin/bash
# There is no solution: this task shows what a 0 of the oracle looks like.
echo "it cannot be done" > /app/secret.txt
exit 1
