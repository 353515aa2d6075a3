"""What to do in each tool so that it calls: the steps, in the tool's own words. `url`
and `secret` are the integration's."""

from audience.integrations.kinds import IntegrationKind

# What Shopify's settings call each topic.
SHOPIFY_EVENTS = {
    "orders/create": "Order creation",
    "orders/updated": "Order update",
    "orders/paid": "Order payment",
    "orders/fulfilled": "Order fulfillment",
    "orders/cancelled": "Order cancellation",
    "refunds/create": "Refund create",
    "customers/create": "Customer creation",
    "customers/update": "Customer update",
    "checkouts/create": "Checkout creation",
    "checkouts/update": "Checkout update",
}

INSTRUCTIONS: dict[IntegrationKind, str] = {
    IntegrationKind.SHOPIFY: (
        "1. In the shop's admin open Settings, Notifications, Webhooks. 2. Create a "
        "webhook with the format JSON and this url for each of the events "
        f"{', '.join(SHOPIFY_EVENTS.values())}. 3. Below the webhooks Shopify shows "
        "the key with which all of them are signed: give it to updateIntegration as "
        "secret."
    ),
    IntegrationKind.WOOCOMMERCE: (
        "1. In WordPress open WooCommerce, Settings, Advanced, Webhooks. 2. Add a "
        "webhook for each of the topics Order created, Order updated, Customer "
        "created and Customer updated: its Status is Active, its Delivery URL this "
        "url, and its Secret the secret that createIntegration answered."
    ),
    IntegrationKind.STRIPE: (
        "1. In Stripe's Dashboard open Developers (or Workbench), Webhooks. 2. Add an "
        "endpoint (an event destination of the type webhook) with this url and the "
        "events checkout.session.completed, "
        "checkout.session.async_payment_succeeded, checkout.session.expired, "
        "charge.succeeded, charge.failed, charge.refunded, customer.created, "
        "customer.updated, invoice.paid, invoice.payment_failed, "
        "customer.subscription.created, customer.subscription.updated and "
        "customer.subscription.deleted. 3. Open the endpoint, reveal its signing "
        "secret (whsec_...) and give it to updateIntegration as secret."
    ),
    IntegrationKind.TYPEFORM: (
        "1. In Typeform open the form, then Connect, then Webhooks. 2. Add a webhook; "
        "its endpoint is this url. 3. Edit the webhook and put the secret that "
        "createIntegration answered into the field Secret. 4. Switch the webhook on: a "
        "new one is off."
    ),
    IntegrationKind.INBOUND_WEBHOOK: (
        "Have the tool POST its JSON to this url, with the header Authorization: "
        "Bearer <secret>, or signed, as proof says; the secret is the one that "
        "createIntegration answered. A tool that can set no header calls the url with "
        "?token=<secret> after it."
    ),
    IntegrationKind.TEXT_MESSAGES: (
        "1. In Twilio's Console open Phone Numbers, Manage, Active numbers, the "
        "number. 2. Under Messaging Configuration, at A message comes in, choose "
        "Webhook, this url and HTTP POST, and save. Where the number belongs to a "
        "Messaging Service, set the same there instead: Integration, Send a webhook. "
        "3. The Console's home page shows the account's Auth Token: give it to "
        "updateIntegration as secret. Another provider POSTs its JSON to this url "
        "with the header Authorization: Bearer <secret>; the secret is the one that "
        "createIntegration answered."
    ),
}
