"""The plug-ins that a user can name, in the configuration or on the command line: one line each.

A registry holds where each plug-in is, as ``package.module:attribute``. That is a text, so that the configuration
knows the names and needs nothing of the rooms in which the plug-ins are, and so that starting stays quick.
What else there is to know of a plug-in, it states itself.
"""

from __future__ import annotations

from typing import NamedTuple


class ChannelEntry(NamedTuple):
    """Where a channel's settings and the channel itself are."""

    settings: str
    channel: str


REPORTERS = {
    "html": "detector.reports.page.html:HtmlReporter",
    "json": "detector.reports.exports.json:JsonReporter",
    "ndjson": "detector.reports.exports.ndjson:NdjsonReporter",
    "csv": "detector.reports.exports.csv:CsvReporter",
    "ocsf": "detector.reports.exports.ocsf:OcsfReporter",
    "ocsf-1.4": "detector.reports.exports.ocsf:OlderOcsfReporter",
}
"""Format of a day's report: its ``Reporter``."""

STATEMENT_FORMATS = {
    "text": "detector.reports.statement.text:TextStatement",
    "html": "detector.reports.statement.page:HtmlStatement",
    "csv": "detector.reports.statement.csv:CsvStatement",
    "focus": "detector.reports.statement.focus:FocusStatement",
    "json": "detector.reports.statement.json:JsonStatement",
}
"""Format of a month's statement: its ``StatementFormat``."""

CHANNELS = {
    "mail": ChannelEntry("detector.config.channels:MailDelivery", "detector.delivery.mail.channel:MailChannel"),
    "webhooks": ChannelEntry(
        "detector.config.channels:WebhookDelivery", "detector.delivery.webhook:WebhookChannel"
    ),
    "chat": ChannelEntry("detector.config.channels:ChatDelivery", "detector.delivery.chat:ChatChannel"),
    "pagerduty": ChannelEntry(
        "detector.config.channels:PagerDutyDelivery", "detector.delivery.pagerduty:PagerDutyChannel"
    ),
    "splunk": ChannelEntry("detector.config.channels:SplunkDelivery", "detector.delivery.splunk:SplunkChannel"),
    "elasticsearch": ChannelEntry(
        "detector.config.channels:ElasticsearchDelivery", "detector.delivery.elasticsearch:ElasticsearchChannel"
    ),
}
"""Key under ``delivery``: the section of one channel's settings, and the channel."""

SQL_DIALECTS = {
    "postgresql": "detector.sources.sql.dialects.postgresql:PostgreSql",
    "sqlite": "detector.sources.sql.dialects.sqlite:SQLite",
    "duckdb": "detector.sources.sql.dialects.duckdb:DuckDb",
    "clickhousedb": "detector.sources.sql.dialects.clickhouse:ClickHouse",
    "mysql": "detector.sources.sql.dialects.mysql:MySql",
    "trino": "detector.sources.sql.dialects.trino:Trino",
    "snowflake": "detector.sources.sql.dialects.snowflake:Snowflake",
    "bigquery": "detector.sources.sql.dialects.bigquery:BigQuery",
}
"""First part of a database's URL: its ``Dialect``."""

PRESETS = {
    "apache": "detector.sources.presets.web_server:APACHE",
    "aws_api_gateway": "detector.sources.presets.aws_api_gateway:AWS_API_GATEWAY",
    "cloudflare": "detector.sources.presets.cloudflare:CLOUDFLARE",
    "cloudtrail": "detector.sources.presets.cloudtrail:CLOUDTRAIL",
    "envoy": "detector.sources.presets.envoy:ENVOY",
    "gravitee": "detector.sources.presets.gravitee:GRAVITEE",
    "kong": "detector.sources.presets.kong:KONG",
    "nginx": "detector.sources.presets.web_server:NGINX",
    "tyk": "detector.sources.presets.tyk:TYK",
}
"""Log format: its ``Preset``."""
