"""Request metrics of the Gravitee gateway, as the file reporter writes them in JSON, by either engine.

The key is the subscription that it belongs to; the key itself is never read.
Format: https://documentation.gravitee.io/apim/gravitee-gateway/reporters/formats
"""

from detector.sources.presets import Preset

GRAVITEE = Preset(
    columns={
        "timestamp": "{/timestamp}",
        "key_id": "{/subscriptionId|/subscription}",
        "endpoint": "{/httpMethod} {/mappedPath|/uri}",
        "status": "{/status}",
        "deployment": "{/host}",
        "client": "{/remoteAddress}",
        "event_id": "{/requestId}",
    },
)
