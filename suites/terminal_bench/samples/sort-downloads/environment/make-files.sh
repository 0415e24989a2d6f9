#!/bin/sh
# The files of the task; their content is their name.
mkdir -p "$1"
cd "$1" || exit 1
for name in a.txt b.txt photo.JPG scan.jpg "two words.pdf" archive.tar.gz README .hidden data.CSV; do
    printf '%s\n' "$name" > "$name"
done
