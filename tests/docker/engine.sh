#!/bin/sh
# Install a Docker engine from Debian's packages if it is missing, and start it if it does not run.
# Does nothing if DOCKER_HOST is set or an engine responds already.
set -eu
DATA=${ZENITH_DOCKER_DATA:-/var/lib/docker}
LOG=${ZENITH_DOCKER_LOG:-/var/log/dockerd.log}

as_root() {
    [ "$(id -u)" = 0 ] || { echo "engine.sh: $1: start it yourself, or run this as root" >&2; exit 1; }
}

if docker info >/dev/null 2>&1 && command -v docker-compose >/dev/null; then
    exit 0
fi

if ! command -v dockerd >/dev/null || ! command -v docker-compose >/dev/null || ! command -v debootstrap >/dev/null; then
    as_root "Docker is not installed"
    echo "installing docker.io, docker-compose and debootstrap" >&2
    apt-get update -qq
    # The engine's network needs iptables, which is only a recommended package.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        docker.io docker-compose debootstrap iptables ca-certificates >/dev/null
fi

if ! docker info >/dev/null 2>&1; then
    as_root "no Docker engine answers"
    echo "starting dockerd, its log is $LOG" >&2
    setsid nohup dockerd --storage-driver overlay2 --data-root "$DATA" >>"$LOG" 2>&1 </dev/null &
    waited=0
    until docker info >/dev/null 2>&1; do
        waited=$((waited + 1))
        [ "$waited" -lt 60 ] || { tail -n 20 "$LOG" >&2; echo "engine.sh: dockerd did not start in 60 s" >&2; exit 1; }
        sleep 1
    done
fi
