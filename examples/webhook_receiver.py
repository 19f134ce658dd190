"""A receiver of webhooks with the standard library: prove who sent it, keep its id, answer, work.

    PORTAL_SECRET=whsec_... python webhook_receiver.py 8080

Behind a web server that speaks https this is enough for a small portal. What it keeps lies in
memory; a real one keeps `seen` and `newest` in its database, written with the work itself.
"""

import os
import sys
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from assetflow import verify_webhook
from assetflow.errors import SignatureInvalid

MOST = 1024 * 1024  # bytes of a body
seen: OrderedDict[str, None] = OrderedDict()  # ids of deliveries that were taken
newest: dict[str, str] = {}  # subject to the highest sequence that was worked on
lock = Lock()


class Receiver(BaseHTTPRequestHandler):
    """Takes deliveries."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        """Answer quickly: the sender waits, and sends again what it had no answer for."""
        length = int(self.headers.get("Content-Length", "0"))
        if length > MOST:
            self.answer(413)
            return
        body = self.rfile.read(length)
        try:
            message = verify_webhook(body, self.headers, secrets=os.environ["PORTAL_SECRET"])
        except SignatureInvalid as error:
            print(f"refused: {error}", flush=True)
            self.answer(401)
            return
        with lock:
            if message.id not in seen:  # at least once means: sometimes twice
                for event in message.events:
                    self.work(event)
                seen[message.id] = None
                if len(seen) > 10_000:
                    seen.popitem(last=False)
        self.answer(204)

    def work(self, event: dict) -> None:
        """Do what the event asks for; what is older than what is known is passed over."""
        if event.get("sequence", "") < newest.get(event["subject"], ""):
            return
        newest[event["subject"]] = event.get("sequence", "")
        print(event["type"], event["subject"], flush=True)

    def answer(self, status: int) -> None:
        """A status says everything."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No log of requests."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
