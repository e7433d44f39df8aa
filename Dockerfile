# One image for every role: `docker run ... serve --role web|worker|hands`. Nothing is compiled, nothing runs as root.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS environment
COPY requirements.lock /tmp/
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.lock

FROM ${PYTHON}
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/sre-agent sre-agent
COPY --from=environment /opt/venv /opt/venv
COPY pyproject.toml LICENSE /opt/sre-agent/
COPY sre_agent /opt/sre-agent/sre_agent
COPY policies /opt/sre-agent/policies
COPY runbooks /opt/sre-agent/runbooks
COPY tests/incidents /opt/sre-agent/tests/incidents
WORKDIR /opt/sre-agent
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SRE_AGENT_DATA_DIR=/var/lib/sre-agent
USER 10001
VOLUME /var/lib/sre-agent
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "sre_agent"]
CMD ["serve", "--host", "0.0.0.0"]
