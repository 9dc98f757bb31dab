"""The logs of Kong's file-log and http-log plugins, one JSON object a line.

The key is the credential that Kong authenticated, by its id, or else the consumer. Kong itself gives every
request its id, since version 3.5.
Format: https://docs.konghq.com/hub/kong-inc/file-log/
"""

from detector.sources.presets import Preset

KONG = Preset(
    columns={
        "timestamp": "{/started_at}",
        "key_id": "{/authenticated_entity/id|/consumer/id}",
        "endpoint": "{/request/method} {/request/uri}",
        "status": "{/response/status}",
        "client": "{/client_ip}",
        "event_id": "{/request/id}",
    },
)
