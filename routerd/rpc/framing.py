"""Bytes in, lines out: the framing of the socket, without the socket.

A message is one line. However the bytes were cut on their way, the same bytes give the same lines; no line is longer
than the limit, and no more is kept than one line and what was fed last.
"""

from routerd.errors import InvalidRequest


class LineTooLong(InvalidRequest):
    """A line is longer than a line may be; `ended` tells whether its newline was already seen."""

    def __init__(self, line_bytes_max: int, *, ended: bool) -> None:
        super().__init__(f"the line is longer than {line_bytes_max} bytes; send shorter ones on a new connection")
        self.ended = ended


class Lines:
    """
    What came in and was not taken yet.

    Args:
        line_bytes_max: The longest line, without its newline.
    """

    __slots__ = ("_bytes", "_max", "_searched")

    def __init__(self, line_bytes_max: int) -> None:
        self._max = line_bytes_max
        self._bytes = bytearray()
        self._searched = 0  # so that a line that comes byte by byte is not searched anew at each of them

    def __len__(self) -> int:
        """How many bytes are held, be it a whole line or the beginning of one."""
        return len(self._bytes)

    def feed(self, data: bytes) -> None:
        """Takes in what was received."""
        self._bytes += data

    def take(self) -> bytearray | None:
        """
        The next line without its newline, or None until more has come.

        Raises:
            LineTooLong: The next line is too long. All that was held is gone: there is no way to go on.
        """
        end = self._bytes.find(b"\n", self._searched)
        if (len(self._bytes) if end < 0 else end) > self._max:
            self._bytes.clear()
            raise LineTooLong(self._max, ended=end >= 0)
        if end < 0:
            self._searched = len(self._bytes)
            return None
        line = self._bytes[:end]
        del self._bytes[: end + 1]
        self._searched = 0
        return line
