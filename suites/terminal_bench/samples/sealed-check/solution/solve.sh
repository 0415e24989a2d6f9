#!/bin/bash
awk 'BEGIN {
    for (i = 2; i < 10000; i++) {
        if (composite[i]) continue
        print i
        for (j = i * i; j < 10000; j += i) composite[j] = 1
    }
}' > /app/primes.txt
