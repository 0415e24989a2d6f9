#!/bin/bash
cd /app/downloads
for file in * .[!.]*; do
    [ -f "$file" ] || continue
    case "${file#.}" in
    *.*) folder=$(printf '%s' "${file##*.}" | tr 'A-Z' 'a-z') ;;
    *) folder=other ;;
    esac
    mkdir -p "/app/sorted/$folder"
    mv -- "$file" "/app/sorted/$folder/"
done
