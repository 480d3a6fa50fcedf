#!/bin/sh
# Local stand-ins for the images that the Dockerfiles and docker-compose.yml name, where no image registry can be reached.
# Made from Debian's packages, from where and with which certificates this machine's own apt and pip take theirs;
# so they are for tests on this machine, and not to be given away. An image that is there already is kept.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
SUITE=bookworm
DEBIAN=debian:$SUITE-slim
BUNDLE=/etc/ssl/certs/ca-certificates.crt
export DOCKER_BUILDKIT=0

there() { docker image inspect "$1" >/dev/null 2>&1; }

debian() {
    echo "making a local stand-in for $DEBIAN" >&2
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; exit 1; }
    rm -f "$root/etc/apt/sources.list"
    cp -a /etc/apt/. "$root/etc/apt/"
    cp -L "$BUNDLE" "$root$BUNDLE"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
    tar -C "$root" -c . | docker import \
        --change 'CMD ["bash"]' \
        --change "ENV SSL_CERT_FILE=$BUNDLE REQUESTS_CA_BUNDLE=$BUNDLE CURL_CA_BUNDLE=$BUNDLE PIP_CERT=$BUNDLE" \
        - "$DEBIAN" >/dev/null
    rm -rf "$root" "$root.log"
}

stand_in() { # NAME:TAG DOCKERFILE
    echo "making a local stand-in for $1" >&2
    index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
    docker build -q --network host --build-arg INDEX="${PIP_INDEX_URL:-$index}" \
        -t "$1" -f "$HERE/stand_ins/$2.Dockerfile" "$HERE/stand_ins" >/dev/null
}

for image in python:3.11-slim-$SUITE postgres:15-$SUITE redis:7-$SUITE; do
    if ! there "$image"; then
        there "$DEBIAN" || debian
        stand_in "$image" "${image%%:*}"
    fi
done
