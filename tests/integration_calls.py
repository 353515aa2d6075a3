"""Calls as Shopify, WooCommerce, Stripe, Typeform and Twilio make them: the fields that
they send, with people and things of our own. And how each signs them."""

import base64
import copy
import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import orjson

SECRET = "a-secret-for-tests-only"  # noqa: S105

Body = dict[str, Any]

ADDRESS: Body = {
    "first_name": "Ada",
    "last_name": "Byron",
    "company": None,
    "address1": "12 Harbour Street",
    "address2": "",
    "phone": "(415) 555-0132",
    "city": "San Francisco",
    "province": "California",
    "country": "United States",
    "zip": "94107",
    "name": "Ada Byron",
    "country_code": "US",
    "province_code": "CA",
    "latitude": 37.77,
    "longitude": -122.4,
}

SHOPIFY_CUSTOMER: Body = {
    "id": 706405506930370084,
    "created_at": "2026-02-01T09:00:00-05:00",
    "updated_at": "2026-02-20T10:00:00-05:00",
    "first_name": "Ada",
    "last_name": "Byron",
    "orders_count": 1,
    "state": "enabled",
    "total_spent": "59.90",
    "last_order_id": 820982911946154508,
    "note": None,
    "verified_email": True,
    "multipass_identifier": None,
    "tax_exempt": False,
    "tags": "vip, tea lover",
    "last_order_name": "#1001",
    "currency": "USD",
    "tax_exemptions": [],
    "email": "Ada@example.org",
    "phone": None,
    "email_marketing_consent": {
        "state": "subscribed",
        "opt_in_level": "single_opt_in",
        "consent_updated_at": "2026-02-01T09:00:00-05:00",
    },
    "sms_marketing_consent": None,
    "addresses": [],
    "default_address": ADDRESS | {"id": 715, "customer_id": 706405506930370084},
    "admin_graphql_api_id": "gid://shopify/Customer/706405506930370084",
}

SHOPIFY_ORDER: Body = {
    "id": 820982911946154508,
    "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
    "app_id": 580111,
    "browser_ip": None,
    "buyer_accepts_marketing": True,
    "cancel_reason": None,
    "cancelled_at": None,
    "cart_token": None,
    "checkout_token": "bd5a8aa1ecd019dd3520ff791ee3a24c",
    "closed_at": None,
    "confirmed": True,
    "contact_email": "ada@example.org",
    "created_at": "2026-02-20T10:00:00-05:00",
    "currency": "USD",
    "current_total_price": "59.90",
    "customer_locale": "en-US",
    "discount_codes": [{"code": "SPRING", "amount": "5.00", "type": "fixed_amount"}],
    "email": "ada@example.org",
    "financial_status": "paid",
    "fulfillment_status": None,
    "name": "#1001",
    "note": None,
    "note_attributes": [],
    "order_number": 1001,
    "order_status_url": "https://shop.example/orders/1001",
    "phone": None,
    "presentment_currency": "USD",
    "processed_at": "2026-02-20T10:00:00-05:00",
    "source_name": "web",
    "subtotal_price": "54.90",
    "tags": "",
    "test": False,
    "token": "123456abcd",
    "total_discounts": "5.00",
    "total_price": "59.90",
    "total_price_set": {
        "shop_money": {"amount": "59.90", "currency_code": "USD"},
        "presentment_money": {"amount": "59.90", "currency_code": "USD"},
    },
    "total_tax": "0.00",
    "updated_at": "2026-02-20T10:00:05-05:00",
    "billing_address": ADDRESS,
    "shipping_address": ADDRESS,
    "customer": SHOPIFY_CUSTOMER,
    "fulfillments": [],
    "line_items": [
        {
            "id": 866550311766439020,
            "admin_graphql_api_id": "gid://shopify/LineItem/866550311766439020",
            "fulfillable_quantity": 2,
            "fulfillment_status": None,
            "gift_card": False,
            "grams": 250,
            "name": "Green tea - 250 g",
            "price": "19.95",
            "product_exists": True,
            "product_id": 632910392,
            "properties": [],
            "quantity": 2,
            "sku": "TEA-250",
            "title": "Green tea",
            "variant_id": 808950810,
            "variant_title": "250 g",
            "vendor": "Tea shop",
        },
        {
            "id": 141249953214522974,
            "name": "Cup",
            "price": "15.00",
            "product_id": 632910393,
            "quantity": 1,
            "sku": "CUP",
            "title": "Cup",
            "variant_title": None,
            "vendor": "Tea shop",
        },
    ],
    "payment_gateway_names": ["bogus"],
    "refunds": [],
    "shipping_lines": [],
}

SHOPIFY_REFUND: Body = {
    "id": 890088186047892319,
    "order_id": 820982911946154508,
    "created_at": "2026-02-25T08:00:00-05:00",
    "note": "Cup was broken",
    "user_id": None,
    "processed_at": "2026-02-25T08:00:00-05:00",
    "restock": False,
    "refund_line_items": [
        {
            "id": 487817672276298627,
            "quantity": 1,
            "line_item_id": 141249953214522974,
            "restock_type": "no_restock",
            "subtotal": 15.0,
            "total_tax": 0.0,
            "line_item": {"id": 141249953214522974, "title": "Cup", "price": "15.00"},
        }
    ],
    "transactions": [
        {
            "id": 245135271310201194,
            "order_id": 820982911946154508,
            "kind": "refund",
            "gateway": "bogus",
            "status": "success",
            "amount": "15.00",
            "currency": "USD",
        }
    ],
    "order_adjustments": [],
}

SHOPIFY_CHECKOUT: Body = {
    "id": 981820079255243537,
    "token": "b1946ac92492d2347c6235b4d2611184",
    "cart_token": "eeafa272cebfd4b22385bc4b645e762c",
    "email": "bob@example.org",
    "gateway": None,
    "buyer_accepts_marketing": False,
    "created_at": "2026-02-21T12:00:00-05:00",
    "updated_at": "2026-02-21T12:01:00-05:00",
    "abandoned_checkout_url": "https://shop.example/checkouts/ac/1/recover",
    "currency": "USD",
    "customer_locale": "en",
    "phone": None,
    "total_price": "19.95",
    "line_items": [{"key": "1", "title": "Green tea", "price": "19.95", "quantity": 1}],
    "completed_at": None,
}

WOO_ORDER: Body = {
    "id": 727,
    "parent_id": 0,
    "number": "727",
    "order_key": "wc_order_58d2d042d1d",
    "created_via": "checkout",
    "status": "processing",
    "currency": "EUR",
    "date_created": "2026-02-20T16:28:02",
    "date_created_gmt": "2026-02-20T15:28:02",
    "date_modified": "2026-02-20T16:28:08",
    "date_modified_gmt": "2026-02-20T15:28:08",
    "discount_total": "0.00",
    "total": "29.35",
    "total_tax": "1.35",
    "customer_id": 25,
    "customer_ip_address": "192.0.2.9",
    "customer_note": "",
    "billing": {
        "first_name": "Zoé",
        "last_name": "Martin",
        "company": "",
        "address_1": "3 rue du Port",
        "address_2": "",
        "city": "Nantes",
        "state": "",
        "postcode": "44000",
        "country": "FR",
        "email": "zoe@example.org",
        "phone": "02 40 41 90 00",
    },
    "shipping": {"first_name": "Zoé", "last_name": "Martin", "country": "FR"},
    "payment_method": "cod",
    "payment_method_title": "Cash on delivery",
    "date_paid": None,
    "date_paid_gmt": None,
    "date_completed": None,
    "date_completed_gmt": None,
    "meta_data": [
        {"id": 13106, "key": "_newsletter", "value": "yes"},
        {"id": 13107, "key": "_other", "value": {"deep": [1, 2]}},
    ],
    "line_items": [
        {
            "id": 315,
            "name": "Woo tea",
            "product_id": 93,
            "variation_id": 0,
            "quantity": 2,
            "subtotal": "22.00",
            "total": "22.00",
            "sku": "WT",
            "price": 11,
        }
    ],
    "coupon_lines": [{"id": 5, "code": "spring", "discount": "0"}],
    "refunds": [],
}

WOO_CUSTOMER: Body = {
    "id": 25,
    "date_created": "2026-01-10T10:00:00",
    "date_created_gmt": "2026-01-10T09:00:00",
    "date_modified": "2026-02-22T10:00:00",
    "date_modified_gmt": "2026-02-22T09:00:00",
    "email": "zoe@example.org",
    "first_name": "Zoé",
    "last_name": "Martin-Roy",
    "role": "customer",
    "username": "zoe",
    "billing": WOO_ORDER["billing"],
    "shipping": {},
    "is_paying_customer": True,
    "meta_data": [],
}


def stripe_event(kind: str, thing: Body, number: int = 1, **data: Any) -> Body:
    """An event of Stripe's around an object."""
    return {
        "id": f"evt_1OqTest{number:04}",
        "object": "event",
        "api_version": "2026-01-28",
        "created": 1_771_600_000 + number,
        "data": {"object": thing, **data},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


STRIPE_SESSION: Body = {
    "id": "cs_test_a1Test",
    "object": "checkout.session",
    "amount_subtotal": 2000,
    "amount_total": 2198,
    "client_reference_id": None,
    "consent": {"promotions": "opt_in", "terms_of_service": "accepted"},
    "consent_collection": {"promotions": "auto"},
    "created": 1_771_599_000,
    "currency": "eur",
    "customer": "cus_Test1",
    "customer_details": {
        "address": {
            "city": "Berlin",
            "country": "DE",
            "line1": "Uferweg 4",
            "line2": None,
            "postal_code": "10117",
            "state": None,
        },
        "email": "grace@example.org",
        "name": "Grace Brewster Hopper",
        "phone": "+4930901820",
        "tax_exempt": "none",
        "tax_ids": [],
    },
    "customer_email": None,
    "livemode": False,
    "metadata": {},
    "mode": "payment",
    "payment_intent": "pi_Test1",
    "payment_status": "paid",
    "status": "complete",
}

STRIPE_CHARGE: Body = {
    "id": "ch_Test1",
    "object": "charge",
    "amount": 5000,
    "amount_captured": 5000,
    "amount_refunded": 0,
    "billing_details": {
        "address": {"city": None, "country": "JP", "line1": None, "postal_code": None},
        "email": "grace@example.org",
        "name": "Grace Hopper",
        "phone": None,
    },
    "captured": True,
    "created": 1_771_599_900,
    "currency": "jpy",
    "customer": "cus_Test1",
    "description": "Tea",
    "failure_message": None,
    "paid": True,
    "receipt_email": None,
    "refunded": False,
    "status": "succeeded",
}

STRIPE_SUBSCRIPTION: Body = {
    "id": "sub_Test1",
    "object": "subscription",
    "created": 1_771_599_950,
    "currency": "eur",
    "customer": "cus_Test1",
    "items": {
        "object": "list",
        "data": [{"id": "si_1", "price": {"id": "price_1", "nickname": "Tea club"}}],
    },
    "status": "active",
}

STRIPE_INVOICE: Body = {
    "id": "in_Test1",
    "object": "invoice",
    "amount_due": 1500,
    "amount_paid": 1500,
    "created": 1_771_599_960,
    "currency": "eur",
    "customer": "cus_Test1",
    "customer_address": None,
    "customer_email": "grace@example.org",
    "customer_name": "Grace Hopper",
    "customer_phone": None,
    "lines": {"object": "list", "data": [{"id": "il_1", "description": "Tea club"}]},
    "status": "paid",
}

TYPEFORM: Body = {
    "event_id": "01HTEST0000000000000000001",
    "event_type": "form_response",
    "form_response": {
        "form_id": "lT4Z3j",
        "token": "a3a12ec67a1365927098a606107fac15",
        "landed_at": "2026-02-20T18:07:02Z",
        "submitted_at": "2026-02-20T18:17:02Z",
        "hidden": {"campaign": "spring", "last_name": "Lovelace"},
        "calculated": {"score": 9},
        "definition": {
            "id": "lT4Z3j",
            "title": "Tea survey",
            "fields": [
                {"id": "f1", "ref": "mail", "type": "email", "title": "Your e-mail?"},
                {
                    "id": "f2",
                    "ref": "kind",
                    "type": "multiple_choice",
                    "title": "Which tea. Really?",
                    "properties": {},
                },
                {
                    "id": "f3",
                    "ref": "news",
                    "type": "legal",
                    "title": "Do you agree to get our news?",
                },
                {
                    "id": "f4",
                    "ref": "contact",
                    "type": "contact_info",
                    "title": "Who are you?",
                    "properties": {
                        "fields": [
                            {
                                "id": "f41",
                                "ref": "first",
                                "type": "short_text",
                                "title": "First name",
                                "subfield_key": "first_name",
                            },
                            {
                                "id": "f42",
                                "ref": "phone",
                                "type": "phone_number",
                                "title": "Phone number",
                                "subfield_key": "phone_number",
                            },
                        ]
                    },
                },
                {"id": "f5", "ref": "town", "type": "short_text", "title": "Town?"},
            ],
        },
        "answers": [
            {
                "type": "email",
                "email": "ada@example.org",
                "field": {"id": "f1", "type": "email", "ref": "mail"},
            },
            {
                "type": "choices",
                "choices": {"ids": ["a", "b"], "labels": ["Green", "White"]},
                "field": {"id": "f2", "type": "multiple_choice", "ref": "kind"},
            },
            {
                "type": "boolean",
                "boolean": True,
                "field": {"id": "f3", "type": "legal", "ref": "news"},
            },
            {
                "type": "text",
                "text": "Ada",
                "field": {"id": "f41", "type": "short_text", "ref": "first"},
            },
            {
                "type": "phone_number",
                "phone_number": "+14155550132",
                "field": {"id": "f42", "type": "phone_number", "ref": "phone"},
            },
            {
                "type": "text",
                "text": "London",
                "field": {"id": "f5", "type": "short_text", "ref": "town"},
            },
        ],
        "ending": {"id": "dN5FLyFpCMFo", "ref": "end"},
    },
}


def changed(body: Body, **changes: Any) -> Body:
    """The body with other values at its top."""
    return copy.deepcopy(body) | changes


def base64_of(raw: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(
        hmac.new(secret.encode(), raw, hashlib.sha256).digest()
    ).decode()


def shopify(topic: str, body: Body, call_id: str) -> tuple[bytes, dict[str, str]]:
    raw = orjson.dumps(body)
    return raw, {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64_of(raw),
        "X-Shopify-Shop-Domain": "tea.myshopify.com",
        "X-Shopify-API-Version": "2026-01",
        "X-Shopify-Webhook-Id": call_id,
        "X-Shopify-Triggered-At": "2026-02-20T15:00:06Z",
    }


def woocommerce(topic: str, body: Body, call_id: str) -> tuple[bytes, dict[str, str]]:
    raw = orjson.dumps(body)
    return raw, {
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": "https://woo.example/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": topic.partition(".")[0],
        "X-WC-Webhook-Event": topic.partition(".")[2],
        "X-WC-Webhook-Signature": base64_of(raw),
        "X-WC-Webhook-ID": "3",
        "X-WC-Webhook-Delivery-ID": call_id,
    }


def stripe(body: Body, signed_at: int) -> tuple[bytes, dict[str, str]]:
    raw = orjson.dumps(body)
    signed = f"{signed_at}.".encode() + raw
    right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return raw, {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={signed_at},v1={'0' * 64},v1={right},v0={'1' * 64}",
    }


def typeform(body: Body) -> tuple[bytes, dict[str, str]]:
    raw = orjson.dumps(body)
    return raw, {
        "Content-Type": "application/json",
        "Typeform-Signature": f"sha256={base64_of(raw)}",
    }


def twilio(url: str, words: str, sid: str, **more: str) -> tuple[bytes, dict[str, str]]:
    fields = {
        "ToCountry": "US",
        "ToState": "CA",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "",
        "FromZip": "94107",
        "SmsSid": sid,
        "FromState": "CA",
        "SmsStatus": "received",
        "FromCity": "SAN FRANCISCO",
        "Body": words,
        "FromCountry": "US",
        "To": "+15005550006",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": "ACtest",
        "From": "+14155550132",
        "ApiVersion": "2010-04-01",
        **more,
    }
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).digest()
    return urlencode(fields).encode(), {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
    }
