#!/bin/bash
{
    echo service,errors,warnings
    awk '$1 ~ /^[0-9]+-[0-9]+-[0-9]+$/ && ($3 == "ERROR" || $3 == "WARN") { n[$4, $3]++; seen[$4] }
         END { for (s in seen) printf "%s,%d,%d\n", s, n[s, "ERROR"], n[s, "WARN"] }' /app/server.log |
        sort -t, -k2,2nr -k1,1
} > /app/report.csv
