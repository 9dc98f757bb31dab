"""The logs of Kong's file-log and http-log plugins, one JSON object a line.

The id of a key is the id of the credential that Kong authenticated, or else the id of the consumer. Headers that
the caller sent are never read.
Format: https://docs.konghq.com/hub/kong-inc/file-log/
"""

from detector.sources.presets import Preset

KONG = Preset(
    verified=("/authenticated_entity", "/consumer"),
    columns={
        "timestamp": "{/started_at}",
        "key_id": "{/authenticated_entity/id|/consumer/id}",
        "endpoint": "{/request/method} {/request/uri}",
        "status": "{/response/status}",
        "client": "{/client_ip}",
        # Kong itself makes this id, since version 3.5; callers cannot choose it.
        "event_id": "{/request/id}",
    },
)
