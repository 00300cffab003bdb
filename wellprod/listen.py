"""A place to listen at, told in words when it cannot be had."""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address

from wellprod.errors import UsageError


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port of this machine, 0 for any free one.

    Raises
    ------
    UsageError
        The port is in use or not allowed, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    advice = "Choose another port, or 0 for any free one."
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OverflowError:
        problem = f"Port {port} is not allowed; ports are from 0 to 65535."
    except OSError as error:
        number = error.errno or 0
        reason = "it is in use" if number == errno.EADDRINUSE else os.strerror(number)
        if number == errno.EADDRNOTAVAIL or number < 0:  # below 0: no name of a machine
            reason, advice = "this machine has no such address", "Choose one that it has."
        problem = f"Cannot listen on port {port} of {host}: {reason}."
    else:
        # Else each small answer waits 40 ms for the client's acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    raise UsageError(problem, next=advice)


def address_of(listener: socket.socket) -> str:
    """Give the address at which this machine reaches `listener`, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    address = ip_address(host)
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{f'[{address}]' if address.version == 6 else address}:{port}"
