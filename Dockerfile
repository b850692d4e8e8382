# One image for web, jobs and every command: what runs, nothing that builds or tests.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/livehub
COPY deploy/requirements.lock .
RUN /opt/livehub/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY livehub livehub
COPY streamers streamers
COPY rooms rooms
COPY jobs jobs
RUN /opt/livehub/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/livehub --create-home livehub
COPY --from=build /opt/livehub /opt/livehub
ENV PATH=/opt/livehub/bin:$PATH PYTHONUNBUFFERED=1
USER livehub
WORKDIR /var/lib/livehub
VOLUME /var/lib/livehub
EXPOSE 8000
ENTRYPOINT ["livehub"]
CMD ["serve"]
