#!/bin/sh
# Every file is where it belongs with its content, and nothing else is there.
expect() {
    [ "$(cat "/app/sorted/$1/$2" 2>/dev/null)" = "$2" ] || { echo "missing: $1/$2"; reward=0; }
}
reward=1
expect txt a.txt
expect txt b.txt
expect jpg photo.JPG
expect jpg scan.jpg
expect pdf "two words.pdf"
expect gz archive.tar.gz
expect other README
expect other .hidden
expect csv data.CSV
[ "$(find /app/sorted -type f 2>/dev/null | wc -l)" -eq 9 ] || { echo "wrong number of files"; reward=0; }
[ -d /app/downloads ] && [ -z "$(ls -A /app/downloads)" ] || { echo "downloads is not empty"; reward=0; }
echo "$reward" > /logs/verifier/reward.txt
