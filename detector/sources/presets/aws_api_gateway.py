"""Access logs of Amazon API Gateway for REST APIs with usage plans, one JSON object a line.

The names of the members are those of the JSON example in the console, and apiKeyId, stage and requestTimeEpoch.
The log holds the id of the key, never the key.
Format: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-access-logging.html
Variables: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

from detector.sources.presets import Preset

AWS_API_GATEWAY = Preset(
    verified=("/apiKeyId",),
    columns={
        "timestamp": "{/requestTimeEpoch|/requestTime}",
        "key_id": "{/apiKeyId}",
        "endpoint": "{/httpMethod} {/resourcePath|/path}",
        "status": "{/status}",
        "deployment": "{/stage}",
        "client": "{/ip}",
        # The caller can choose the plain request id, and could hide requests with it.
        "event_id": "{/extendedRequestId}",
    },
)
