#!/bin/sh
reward=1
check() { # expected output, expected exit code, arguments
    want=$1 code=$2
    shift 2
    got=$(/app/calc/calc "$@")
    [ $? -eq "$code" ] && [ "$got" = "$want" ] || { echo "calc $*: got '$got'"; reward=0; }
}
grep -q -- '-Wall -Wextra -Werror' /app/calc/Makefile || { echo "flags changed"; reward=0; }
make -C /app/calc clean && make -C /app/calc || reward=0
check 15 0 7 2 - 3 x
check 4 0 9 2 /
check -5 0 -2 3 -
check 42 0 42
check "" 2 1 0 /
check "" 2 1 +
check "" 2 1 2
check "" 2 1 2 ?
echo "$reward" > /logs/verifier/reward.txt
