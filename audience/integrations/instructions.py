"""What to do in each tool so that it calls: the steps, in the tool's own words."""

from audience.integrations.kinds import IntegrationKind

INSTRUCTIONS: dict[IntegrationKind, str] = {
    IntegrationKind.SHOPIFY: (
        "In Shopify open Settings, Notifications, Webhooks. Create a webhook in the "
        "format JSON with this url for each of: Order creation, Order payment, Order "
        "fulfillment, Order cancellation, Refund create, Customer creation, Customer "
        "update, Checkout creation, Checkout update. Below the list Shopify shows the "
        "key that signs them: give it to updateIntegration as secret."
    ),
    IntegrationKind.WOOCOMMERCE: (
        "In WordPress open WooCommerce, Settings, Advanced, Webhooks. Add a webhook "
        "with this Delivery URL, the secret and the status Active for each of the "
        "topics: Order created, Order updated, Customer created, Customer updated."
    ),
    IntegrationKind.STRIPE: (
        "In Stripe open Developers, Webhooks, and add an endpoint with this url and "
        "the events checkout.session.completed, "
        "checkout.session.async_payment_succeeded, checkout.session.expired, "
        "charge.succeeded, charge.failed, charge.refunded, customer.created, "
        "customer.updated, invoice.paid, invoice.payment_failed, "
        "customer.subscription.created, customer.subscription.updated and "
        "customer.subscription.deleted. Reveal its signing secret (whsec_...) and give "
        "it to updateIntegration as secret."
    ),
    IntegrationKind.TYPEFORM: (
        "In Typeform open the form, Connect, Webhooks. Add a webhook with this url, "
        "edit it to set the secret, and turn it on."
    ),
    IntegrationKind.INBOUND_WEBHOOK: (
        "Have the tool POST its JSON to this url, with the header Authorization: "
        "Bearer <secret>, or signed, as proof says. A tool that can set no header "
        "calls the url with ?token=<secret> after it."
    ),
    IntegrationKind.TEXT_MESSAGES: (
        "In Twilio open the phone number (or the Messaging Service), and under A "
        "message comes in choose Webhook, this url and HTTP POST. Give Twilio's Auth "
        "Token to updateIntegration as secret. Another provider POSTs its JSON to this "
        "url with the header Authorization: Bearer <secret>."
    ),
}
