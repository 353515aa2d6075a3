"""People sign up, confirm and leave: one path for the API, forms and pages."""

from resolvers.signups.confirming import Confirmed, confirm
from resolvers.signups.leaving import unsubscribe
from resolvers.signups.subscribing import (
    Confirmation,
    SignedUp,
    subscribe,
    subscribe_known,
)

__all__ = [
    "Confirmation",
    "Confirmed",
    "SignedUp",
    "confirm",
    "subscribe",
    "subscribe_known",
    "unsubscribe",
]
