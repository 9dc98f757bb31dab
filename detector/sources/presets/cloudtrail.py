"""AWS CloudTrail, as delivered: gzipped JSON documents ``{"Records": [...]}``.

Deliveries overlap, so an event counts once by its id. What AWS services do on their own behalf carries no
access key. Fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from detector.sources.presets import Preset

CLOUDTRAIL = Preset(
    records="Records",
    columns={
        "timestamp": "{/eventTime}",
        "key_id": "{/userIdentity/accessKeyId}",
        "endpoint": "{/eventSource}:{/eventName}",
        "error": "{/errorCode}",
        "client": "{/sourceIPAddress}",
        "event_id": "{/eventID}",
    },
    description="{/eventSource}:{/eventName} by {/userIdentity/invokedBy|/userIdentity/type}",
)
