"""Serves localstripe on 127.0.0.1 alone: python serve_localstripe.py PORT

localstripe refuses what it does not know, where Stripe knows it. So a payment intent's other fields are dropped, the metadata of
a capture is kept, and what was captured is told. Nothing is written to the disk.
"""

import socket
import sys

from aiohttp import web
from localstripe import resources

Charge, Intent = resources.Charge, resources.PaymentIntent
KNOWN = {"amount", "currency", "customer", "payment_method", "metadata", "payment_method_types", "capture_method"}

make, take, capture = Intent.__init__, Charge._capture, Intent._api_capture


def make_of_known(self, **fields):
    make(self, **{name: value for name, value in fields.items() if name in KNOWN})


def take_and_count(self, amount, on_success=None):
    take(self, amount, on_success)
    self.amount_captured = int(amount or self.amount)


def capture_with_metadata(id, amount_to_capture=None, metadata=None, **fields):
    intent = capture(id, amount_to_capture=amount_to_capture, **fields)
    intent.metadata.update(metadata or {})
    return intent


Intent.__init__ = make_of_known
Intent.amount_received = property(lambda self: getattr(self.latest_charge, "amount_captured", 0))
Charge._capture = take_and_count
resources.extra_apis[:] = [
    (method, url, capture_with_metadata if url == "/v1/payment_intents/{id}/capture" else call)
    for method, url, call in resources.extra_apis
]
resources.store.dump_to_disk = lambda: None

from localstripe import server  # noqa: E402 -- it makes its routes of the above

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
web.run_app(server.app, sock=listener, print=None)
