"""JSON access logs of Envoy, Istio and Envoy Gateway. The three differ in the name of the path.

The key is a request header that the log format writes as ``api_key``. It is what the caller sent. Envoy's API
key filter tries its ``key_sources`` in order and can forward the client that it verified; who logs that header
names it as the key.
Format: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
API key filter: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/api_key_auth_filter
Envoy Gateway: https://gateway.envoyproxy.io/docs/tasks/observability/proxy-accesslog/
"""

from detector.sources.presets import Preset

ENVOY = Preset(
    columns={
        "timestamp": "{/start_time}",
        "key_id": "{/api_key|/x-api-key}",
        "endpoint": "{/method} {/path|/x-envoy-origin-path}",
        "status": "{/response_code}",
        "deployment": "{/authority|/:authority}",
        # No event_id: the request id may come from the caller, who could hide requests with it.
        "client": "{/x_forwarded_for|/x-forwarded-for|/downstream_remote_address}",
    },
    secret=True,
)
