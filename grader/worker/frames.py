"""Length-prefixed frames over a stream socket, as the worker reads and writes them."""

from __future__ import annotations

import socket
import struct

HEADER = struct.Struct("<I")


def send_frame(channel: socket.socket, payload: bytes) -> None:
    """Write one frame; blocks until all of it is taken."""
    channel.sendall(HEADER.pack(len(payload)) + payload)


def receive_frame(channel: socket.socket) -> bytes | None:
    """Read one frame; None when the other side has closed."""
    header = _receive_exactly(channel, HEADER.size)
    if header is None:
        return None
    return _receive_exactly(channel, HEADER.unpack(header)[0])


def _receive_exactly(channel: socket.socket, size: int) -> bytes | None:
    buffer = bytearray()
    while len(buffer) < size:
        piece = channel.recv(min(size - len(buffer), 2**20))
        if not piece:
            return None
        buffer += piece
    return bytes(buffer)
