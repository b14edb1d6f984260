# The stock Collector with WaferScope's configuration, on a base that can ask for its own health: upstream's image is
# empty but for the program. Build in the repository's root: docker build -f deploy/docker/monitoring.Dockerfile .
FROM otel/opentelemetry-collector-contrib:0.160.0 AS upstream

FROM busybox:1.37.0-musl

LABEL org.opencontainers.image.title="WaferScope monitoring" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN adduser -D -H -u 10001 otel && install -d -o otel -g otel /var/lib/waferscope/collector
COPY --from=upstream /otelcol-contrib /usr/local/bin/otelcol-contrib
COPY --from=upstream /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY collector/config /etc/waferscope/collector

ENV WAFERSCOPE_COLLECTOR_HOST=0.0.0.0
USER 10001:10001
VOLUME /var/lib/waferscope/collector
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:17000/v1/health"]

ENTRYPOINT ["otelcol-contrib"]
CMD ["--config", "/etc/waferscope/collector/host.yaml"]
