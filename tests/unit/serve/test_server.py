"""Where the server listens."""

from __future__ import annotations

from contextlib import closing

import pytest

from detector.model.errors import ConfigError
from detector.serve.server import _listener


def test_a_port_of_zero_takes_a_free_one() -> None:
    """Over IPv4, or IPv6 where the address is one."""
    with closing(_listener("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_that_is_taken_is_an_error_of_the_configuration() -> None:
    """With what to do."""
    with closing(_listener("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot listen on 127.0.0.1 port {port}: .*choose others"):
            _listener("127.0.0.1", port)
