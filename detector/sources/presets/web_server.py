"""Access logs of nginx and Apache in the combined format, with the key as one more quoted field at the end.

``/user``, ``/referer`` and ``/agent`` are there for other templates, and ``{/path?name}`` is a query
parameter. nginx writes a quote within a value as ``\\x22``, Apache as ``\\"``.
nginx: https://nginx.org/en/docs/http/ngx_http_log_module.html
Apache: https://httpd.apache.org/docs/current/logs.html
"""

from detector.sources.presets import Preset

_QUOTED = r'(?:[^"\\]|\\.)*'

NGINX = APACHE = Preset(
    line=(
        r"^(?P<client>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "
        rf'"(?:(?P<method>[A-Za-z]+) (?P<path>[^\s"]+)(?: HTTP/[0-9.]+)?|{_QUOTED})" '
        rf'(?P<status>\d+|-) (?:\d+|-) "(?P<referer>{_QUOTED})" "(?P<agent>{_QUOTED})"'
        rf'(?: (?:.* )?"(?P<key>{_QUOTED})")?\s*$'
    ),
    columns={
        "timestamp": "{/time}",
        "key_id": "{/key}",
        "endpoint": "{/method} {/path}",
        "status": "{/status}",
        "client": "{/client}",
    },
    secret=True,
)
