"""Places an order with the client that openapi-python-client made, and reads why the second is refused.

    order.py URL PUBLISHABLE_KEY
"""

import sys
import uuid

from mercer_client import AuthenticatedClient
from mercer_client import models
from mercer_client.api.carts import create_cart, place_order, start_checkout, update_cart
from mercer_client.api.products import list_products


def order(client, quantity):
    body = models.CreateCartBody.from_dict({
        "lines": [{"sku": "FH-MUG-FERN", "quantity": quantity}],
        "email": "shopper@example.com",
        "shippingAddress": {
            "name": "A. Shopper", "line1": "Hauptstrasse 1", "postcode": "10115", "city": "Berlin", "country": "DE",
        },
    })
    made = create_cart.sync(client=client, body=body)
    assert isinstance(made, models.NewCart), made
    cart, token = made.cart, made.token
    way = models.UpdateCartBody(shipping_method_id=cart.shipping_options[0].method_id)
    cart = update_cart.sync(cart.id, client=client, body=way, x_cart_token=token)
    assert isinstance(cart, models.Cart), cart
    payment = models.StartCheckoutBody.from_dict({"payment": {"provider": "test", "token": "approve"}})
    key = lambda: str(uuid.uuid4())
    started = start_checkout.sync_detailed(
        cart.id, client=client, body=payment, x_cart_token=token, idempotency_key=key())
    if not isinstance(started.parsed, models.Checkout):
        return started
    return place_order.sync_detailed(cart.id, client=client, x_cart_token=token, idempotency_key=key())


def main(url, key):
    client = AuthenticatedClient(base_url=url, token=key)
    page = list_products.sync(client=client, limit=2, sort=models.ProductSort.TITLE)
    assert isinstance(page, models.ProductPage) and len(page.items) == 2, page
    placed = order(client, 2)
    assert isinstance(placed.parsed, models.Placement), placed
    assert placed.parsed.outcome == "placed", placed
    refused = order(client, 2)
    assert refused.status_code == 409, refused
    problem = refused.parsed
    assert isinstance(problem, models.Problem), refused
    assert problem.code == "INSUFFICIENT_STOCK", problem
    assert problem.errors[0].available == 1, problem
    bad = list_products.sync(client=client, limit=0)
    assert isinstance(bad, models.Problem) and bad.code == "VALIDATION_FAILED", bad
    print("an order placed, and a conflict read")


main(*sys.argv[1:])
