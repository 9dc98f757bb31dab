"""HTTP requests that Cloudflare's Logpush delivers, one JSON object a line.

The key is a request header that the job logs as a custom field; these stand in ``RequestHeaders`` in small
letters. Deliveries may overlap, so a request counts once by its Ray ID.
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
        "event_id": "{/RayID}",
    },
    secret=True,
)
