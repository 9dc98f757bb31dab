"""Analytics records of the Tyk gateway that the stdout pump writes in JSON.

``api_key`` is the key in clear, unless the gateway hashes keys.
Keys: https://tyk.io/docs/tyk-dashboard-analytics/traffic-per-token
Fields: https://tyk.io/docs/tyk-stack/tyk-pump/tyk-analytics-record-fields/
Names in JSON: https://github.com/TykTechnologies/tyk-pump/blob/master/analytics/analytics.go
"""

from detector.sources.presets import Preset

TYK = Preset(
    # An open API, or an error before the gateway knew the key.
    no_key=("00000000",),
    verified=("/tyk-analytics-record/api_key", "/tyk-analytics-record/oauth_id", "/tyk-analytics-record/alias"),
    columns={
        "timestamp": "{/tyk-analytics-record/timestamp}",
        "key_id": "{/tyk-analytics-record/api_key}",
        "endpoint": "{/tyk-analytics-record/method} {/tyk-analytics-record/path}",
        "status": "{/tyk-analytics-record/response_code}",
        "deployment": "{/tyk-analytics-record/host}",
        "client": "{/tyk-analytics-record/ip_address}",
    },
    secret=True,
)
