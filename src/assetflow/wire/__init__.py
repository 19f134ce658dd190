"""The network, kept in one place: calls as values, and two drivers that make them.

```
connector: Call, Listing, Flow    what to ask, as values and generators
     |
Wire / AsyncWire                  tokens, rate limits, retries, deadline, byte caps
     |
httpx, httpcore                   loaded with the first driver, shown to nobody
```

The page *The network* of the documentation says what each guarantee covers, and what not.
"""

from __future__ import annotations

from assetflow.wire.async_wire import AsyncWire
from assetflow.wire.auth import NoAuth, Secret, StaticToken, Token, TokenSource
from assetflow.wire.buckets import TokenBucket
from assetflow.wire.call import (
    Call,
    Classifier,
    Flow,
    Listing,
    Page,
    Problem,
    Reply,
    RetryWhen,
    Verdict,
)
from assetflow.wire.classify import classify_http, classify_token, wait_asked
from assetflow.wire.hooks import CallEvent, Hooks, RetryEvent
from assetflow.wire.policy import Limits, RetryPolicy
from assetflow.wire.signing import (
    ReceivedWebhook,
    new_webhook_secret,
    sign_webhook,
    verify_webhook,
)
from assetflow.wire.sync_wire import Wire
from assetflow.wire.target import TargetRules

__all__ = [
    "AsyncWire",
    "Call",
    "CallEvent",
    "Classifier",
    "Flow",
    "Hooks",
    "Limits",
    "Listing",
    "NoAuth",
    "Page",
    "Problem",
    "ReceivedWebhook",
    "Reply",
    "RetryEvent",
    "RetryPolicy",
    "RetryWhen",
    "Secret",
    "StaticToken",
    "TargetRules",
    "Token",
    "TokenBucket",
    "TokenSource",
    "Verdict",
    "Wire",
    "classify_http",
    "classify_token",
    "new_webhook_secret",
    "sign_webhook",
    "verify_webhook",
    "wait_asked",
]
