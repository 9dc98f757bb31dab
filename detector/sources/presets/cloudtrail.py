"""Deliveries of AWS CloudTrail: gzipped JSON documents ``{"Records": [...]}``.

Events that AWS services cause on their own behalf have no access key.
Fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
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
        # Deliveries overlap.
        "event_id": "{/eventID}",
    },
    description="{/eventSource}:{/eventName} by {/userIdentity/invokedBy|/userIdentity/type}",
)
