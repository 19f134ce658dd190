"""Webhooks: other systems are told of what happened, at least once, and in order for each thing.

```
journal                 written in the transaction that caused it
  planning              which events a webhook hears of, grouped into deliveries
  claims                who sends which delivery now, and what came of it
  posting               one signed call to a checked address
  delivering            all of it together, several calls at once
```

The page *How webhooks are delivered* of the documentation says what is promised, and what not.
"""

from assetflow.exchange.webhooks.delivering import Deliverer
from assetflow.exchange.webhooks.posting import Answer, SecretSource, environment_secret
from assetflow.exchange.webhooks.report import DeliveryReport
from assetflow.exchange.webhooks.schedule import SCHEDULE, Schedule
from assetflow.exchange.webhooks.subscriptions import (
    add_webhook,
    change_webhook,
    disable_webhook,
    enable_webhook,
    find_webhook,
)

__all__ = [
    "SCHEDULE",
    "Answer",
    "Deliverer",
    "DeliveryReport",
    "Schedule",
    "SecretSource",
    "add_webhook",
    "change_webhook",
    "disable_webhook",
    "enable_webhook",
    "environment_secret",
    "find_webhook",
]
