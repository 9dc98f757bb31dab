"""HTTP requests from Cloudflare's Logpush, one JSON object a line.

The key is a request header that the Logpush job logs as a custom field. ``RequestHeaders`` holds these fields,
with their names in small letters. Cloudflare does not verify keys, and its documentation knows no order among
headers. So ``authorization`` comes first, the header that HTTP defines for credentials.
Fields: https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
Custom fields: https://developers.cloudflare.com/logs/logpush/logpush-job/custom-fields/
"""

from detector.sources.presets import Preset

CLOUDFLARE = Preset(
    columns={
        "timestamp": "{/EdgeStartTimestamp}",
        "key_id": "{/RequestHeaders/authorization|/RequestHeaders/x-api-key}",
        "endpoint": "{/ClientRequestMethod} {/ClientRequestPath|/ClientRequestURI}",
        "status": "{/EdgeResponseStatus}",
        "deployment": "{/ClientRequestHost}",
        "client": "{/ClientIP}",
        # Cloudflare makes this id. Deliveries may overlap.
        "event_id": "{/RayID}",
    },
    secret=True,
)
