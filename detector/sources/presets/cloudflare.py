"""HTTP requests from Cloudflare's Logpush, one JSON object a line.

The key is a request header that the Logpush job logs as a custom field. ``RequestHeaders`` holds these fields,
with their names in small letters.
Fields: https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
Custom fields: https://developers.cloudflare.com/logs/logpush/logpush-job/custom-fields/
"""

from detector.sources.presets import Preset

CLOUDFLARE = Preset(
    columns={
        "timestamp": "{/EdgeStartTimestamp}",
        "key_id": "{/RequestHeaders/x-api-key|/RequestHeaders/authorization}",
        "endpoint": "{/ClientRequestMethod} {/ClientRequestPath|/ClientRequestURI}",
        "status": "{/EdgeResponseStatus}",
        "deployment": "{/ClientRequestHost}",
        "client": "{/ClientIP}",
        # Deliveries may overlap.
        "event_id": "{/RayID}",
    },
    secret=True,
)
