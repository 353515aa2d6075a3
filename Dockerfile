# Two stages: the first installs the packages, and builds GraphiQL and the postal codes;
# the second runs. No MongoDB inside: set MONGODB_URI to a replica set of your own.
FROM python:3.13-slim AS build

WORKDIR /audience
COPY requirements/uv.txt requirements/run.txt requirements/node.txt requirements/places.txt requirements/
RUN python -m venv .venv \
    && .venv/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/uv.txt \
    && .venv/bin/uv venv --quiet /runtime \
    && .venv/bin/uv pip install --quiet --python /runtime/bin/python --no-cache \
        --require-hashes -r requirements/run.txt
COPY scripts/graphiql scripts/
COPY server/graphiql server/graphiql
RUN scripts/graphiql
COPY scripts/places scripts/places.py scripts/
COPY audience audience
RUN PLACES_PYTHON=/runtime/bin/python scripts/places

FROM python:3.13-slim

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/audience audience
COPY --from=build /runtime /runtime
WORKDIR /srv/audience
COPY audience audience
COPY resolvers resolvers
COPY gql gql
COPY server server
COPY --from=build /audience/server/graphiql/dist server/graphiql/dist
COPY --from=build /audience/resolvers/places/dist resolvers/places/dist
ENV PATH=/runtime/bin:$PATH \
    PYTHONPATH=/srv/audience \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUDIENCE_HOST=0.0.0.0 \
    AUDIENCE_DATA=/var/lib/audience \
    AUDIENCE_LOG=json
USER audience
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('AUDIENCE_PORT', '8000') + '/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "server"]
CMD ["serve"]
