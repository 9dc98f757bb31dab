"""JSON access logs of Envoy, Istio and Envoy Gateway. The three differ in the name of the path.

The key is a request header that the log format writes as ``api_key``.
Format: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
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
