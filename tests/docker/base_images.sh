#!/bin/sh
# Local stand-ins for the images that the Dockerfiles and docker-compose.yml name, where no image registry can be reached.
# Made from Debian's packages, from where and with which certificates this machine's own apt takes them;
# so they are for tests on this machine, and not to be given away. An image that is there already is kept, and without
# debootstrap nothing is made: Docker then fetches the official ones.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
SUITE=bookworm
DEBIAN=debian:$SUITE-slim
BUNDLE=/etc/ssl/certs/ca-certificates.crt

command -v debootstrap >/dev/null || exit 0

there() { docker image inspect "$1" >/dev/null 2>&1; }

quietly() { # its output only if it fails
    "$@" >"$SCRATCH/log" 2>&1 || { tail -n 30 "$SCRATCH/log" >&2; exit 1; }
}

debian() {
    echo "making a local stand-in for $DEBIAN" >&2
    root=$SCRATCH/root
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
    quietly debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" "$mirror"
    rm -f "$root/etc/apt/sources.list"
    cp -a /etc/apt/. "$root/etc/apt/"
    cp -L "$BUNDLE" "$root$BUNDLE"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
    tar -C "$root" -c . | docker import \
        --change 'CMD ["bash"]' \
        --change 'LABEL zenith.stand-in=true' \
        --change "ENV SSL_CERT_FILE=$BUNDLE REQUESTS_CA_BUNDLE=$BUNDLE CURL_CA_BUNDLE=$BUNDLE PIP_CERT=$BUNDLE" \
        - "$DEBIAN" >/dev/null
}

stand_in() { # NAME:TAG DOCKERFILE
    echo "making a local stand-in for $1" >&2
    quietly docker build --network host -t "$1" -f "$HERE/stand_ins/$2.Dockerfile" "$HERE/stand_ins"
}

SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
for image in python:3.11-slim-$SUITE postgres:15-$SUITE redis:7-$SUITE; do
    if ! there "$image"; then
        there "$DEBIAN" || debian
        stand_in "$image" "${image%%:*}"
    fi
done
