"""Access logs of nginx and Apache in the combined format with one more quoted field at the end, the key.

The web server does not verify the key, and the header that the log names is the only place for it. Where a server
joins several headers of the same name, the first counts.

Configured templates may use ``/user``, ``/referer`` and ``/agent`` too, and ``{/path?name}`` for a query
parameter.
nginx: https://nginx.org/en/docs/http/ngx_http_log_module.html
Apache: https://httpd.apache.org/docs/current/logs.html
"""

from detector.sources.presets import Preset

# Apache writes a quote within a value as \", nginx as \x22. A log may also be told to escape nothing; then the key
# is still the last quoted value.
_QUOTED = r'(?:[^"\\]|\\.)*'

NGINX = APACHE = Preset(
    line=(
        r"^(?P<client>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "
        r'"(?:(?P<method>[A-Za-z][A-Za-z-]*)(?: +(?P<path>.*?)(?: +HTTP/[0-9.]+)?)?|.*?)" '
        rf'(?P<status>\d+|-) (?:\d+|-) "(?P<referer>{_QUOTED}|.*?)" "(?P<agent>{_QUOTED}|.*?)"'
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
