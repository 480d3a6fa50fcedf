#!/bin/sh
# Build local stand-ins for the base images of the Dockerfiles and docker-compose.yml, if no image registry is reachable.
# They are built from Debian's packages with the sources and certificates of this machine's apt, so they are only for
# tests on this machine. Existing images are kept. Without debootstrap nothing is built, and Docker pulls the official
# images.
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
