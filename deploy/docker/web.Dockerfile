# Grafana with WaferScope's boards and provisioning.
# Build in the repository's root: docker build -f deploy/docker/web.Dockerfile .
FROM grafana/grafana:13.1.1

LABEL org.opencontainers.image.title="WaferScope web" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY grafana/provisioning /etc/waferscope/grafana/provisioning
COPY grafana/boards /etc/waferscope/grafana/boards

ENV WAFERSCOPE_GRAFANA_BOARDS=/etc/waferscope/grafana/boards \
    GF_PATHS_PROVISIONING=/etc/waferscope/grafana/provisioning \
    GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=/etc/waferscope/grafana/boards/site/overview.json \
    GF_SERVER_HTTP_PORT=8501 \
    GF_ANALYTICS_REPORTING_ENABLED=false \
    GF_ANALYTICS_CHECK_FOR_UPDATES=false \
    GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false \
    GF_NEWS_NEWS_FEED_ENABLED=false \
    GF_PLUGINS_PREINSTALL_DISABLED=true
USER 472
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8501/api/health"]
