"""Request metrics that the file reporter of the Gravitee gateway writes in JSON, with either engine.

The id of a key is the id of its subscription. The key itself is never read.
Format: https://documentation.gravitee.io/apim/gravitee-gateway/reporters/formats
"""

from detector.sources.presets import Preset

GRAVITEE = Preset(
    # For a plan without keys the client's address stands in the place of the subscription.
    no_key=("/remoteAddress",),
    verified=("/subscriptionId", "/subscription", "/applicationId", "/application"),
    columns={
        "timestamp": "{/timestamp}",
        # The second names in this preset are those of the older engine.
        "key_id": "{/subscriptionId|/subscription}",
        "endpoint": "{/httpMethod} {/mappedPath|/uri}",
        "status": "{/status}",
        "deployment": "{/host}",
        "client": "{/remoteAddress}",
        # The gateway itself makes this id. Callers can choose the transaction's id.
        "event_id": "{/requestId}",
    },
)
