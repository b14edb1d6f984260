"""Whose query a request is, for a fair queue; nothing else rests on it, so what a client says is believed."""

from starlette.requests import Request

_TENANTS = ("x-grafana-user", "x-dashboard-uid")
_LONGEST = 256  # characters that tell clients apart


def client_of(request: Request) -> str:
    """Give the client: an address and, where Grafana says so, its user, else the dashboard.

    The address is the first of `X-Forwarded-For`, else the peer's. Grafana sends `X-Grafana-User` with
    `send_user_header`, and `X-Dashboard-Uid` always.
    """
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    address = forwarded or (request.client.host if request.client else "")
    tenant = next((text for name in _TENANTS if (text := request.headers.get(name))), "")
    return f"{address} {tenant}"[:_LONGEST]
