"""The other side of the stand-in PagerDuty: who asks its REST API, and who receives its deliveries."""

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

from sre_agent.testing.pagerduty import AGENT_EMAIL, TOKEN, PagerDutyStandIn

LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}


def ask(
    standin: PagerDutyStandIn, method: str, path: str, body: object = None, sender: str | None = AGENT_EMAIL, token: str = TOKEN
):
    address = urlsplit(standin.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    headers = {"Authorization": f"Token token={token}"} | ({"From": sender} if sender else {})
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content else None, response.headers
    finally:
        connection.close()


class Receiver:
    """A webhook endpoint that answers what the test says; the default is 202."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | Callable[[], int]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = receiver.answers.pop(0) if receiver.answers else 202
                self.send_response(status() if callable(status) else status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks/pagerduty"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
