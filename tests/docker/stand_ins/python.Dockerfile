# Like the official image as far as ours need it: python and pip on the path, free to install.
FROM debian:bookworm-slim
ARG INDEX=""
ENV LANG=C.UTF-8
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/lib/python3.11/EXTERNALLY-MANAGED \
    && find / -xdev -name __pycache__ -prune -exec rm -rf {} + \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && if [ -n "$INDEX" ]; then printf '[global]\nindex-url = %s\n' "$INDEX" >/etc/pip.conf \
        && mkdir -p /etc/uv && printf 'index-url = "%s"\n' "$INDEX" >/etc/uv/uv.toml; fi
CMD ["python3"]
