# The parts of the official image that ours need: python and pip on the path, without EXTERNALLY-MANAGED.
FROM debian:bookworm-slim
ENV LANG=C.UTF-8
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/lib/python3.11/EXTERNALLY-MANAGED \
    && find / -xdev -name __pycache__ -prune -exec rm -rf {} + \
    && ln -s /usr/bin/python3 /usr/local/bin/python
CMD ["python3"]
