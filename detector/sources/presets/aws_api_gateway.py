"""Access logs of Amazon API Gateway, REST APIs with usage plans, one JSON object a line.

The member names are those of the JSON example that the console offers, with apiKeyId, stage and
requestTimeEpoch beside them. The key is known by its id, never by its value. An event counts once by its
extended request id; the plain request id can be chosen by the caller.
Format: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-access-logging.html
Variables: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

from detector.sources.presets import Preset

AWS_API_GATEWAY = Preset(
    columns={
        "timestamp": "{/requestTimeEpoch|/requestTime}",
        "key_id": "{/apiKeyId}",
        "endpoint": "{/httpMethod} {/resourcePath|/path}",
        "status": "{/status}",
        "deployment": "{/stage}",
        "client": "{/ip}",
        "event_id": "{/extendedRequestId}",
    },
)
