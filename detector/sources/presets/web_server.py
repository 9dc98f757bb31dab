"""Access logs of nginx and Apache in the combined format with one more quoted field at the end, the key.

Configured templates may use ``/user``, ``/referer`` and ``/agent`` too, and ``{/path?name}`` for a query
parameter.
nginx: https://nginx.org/en/docs/http/ngx_http_log_module.html
Apache: https://httpd.apache.org/docs/current/logs.html
"""

from detector.sources.presets import Preset

# Apache writes a quote within a value as \", nginx as \x22.
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
