"""Bytes in, complete lines out: the only place that knows what a line is."""


class LineSplitter:
    """
    Cuts a stream of bytes into complete lines.

    A line ends at a line feed; an unfinished one is carried over. Carriage returns before the end, NUL bytes (the hole
    that a truncated file leaves when its writer goes on) and a byte order mark are removed; empty lines are no lines. A
    line longer than `line_bytes_max` is dropped and counted, and costs no more memory than that limit; a hole at its
    beginning does not count.

    Attributes:
        position: Offset in the stream just after the last complete line.
        received: Offset in the stream up to which bytes were given.
        dropped: Lines that were too long.
        rest_taken: The unfinished line was given out by `take_rest`.
    """

    def __init__(self, *, line_bytes_max: int) -> None:
        self.position = 0
        self.received = 0
        self.dropped = 0
        self.rest_taken = False
        self._max = line_bytes_max
        self._carry = bytearray()  # the unfinished line, from its first byte that is no NUL
        self._too_long = False

    @property
    def rest(self) -> bytes:
        """The line that nobody has ended yet, unless it was taken."""
        return b"" if self.rest_taken else bytes(self._carry)

    def take_rest(self) -> tuple[int, bytes]:
        """
        The line that nobody has ended yet, which the caller knows to be whole; it is not given again.

        What is pushed next must begin with the line's end.
        """
        self.rest_taken = True
        return self.position, bytes(self._carry)

    def push(self, block: bytes) -> list[tuple[int, bytes]]:
        """The lines that `block` completes, each with the offset where it begins."""
        lines = []
        *ended, rest = block.split(b"\n")
        for raw in ended:
            line = self._ended(raw)
            self.received += len(raw) + 1
            if line:
                lines.append((self.position, line))
            self.position = self.received
        self._keep(rest)
        self.received += len(rest)
        return lines

    def _ended(self, raw: bytes) -> bytes:
        """The line that ends with `raw`; empty when there is nothing to give."""
        if self._carry or self._too_long or len(raw) > self._max:
            self._keep(raw)
            raw = b"" if self.rest_taken else bytes(self._carry)
            self.dropped += self._too_long
            self.rest_taken = self._too_long = False
            self._carry.clear()
        if b"\0" in raw:
            raw = raw.replace(b"\0", b"")
        if raw.startswith(b"\xef\xbb\xbf"):
            raw = raw[3:]
        return raw.rstrip(b"\r")

    def _keep(self, piece: bytes) -> None:
        if not self._carry and not self._too_long:
            piece = piece.lstrip(b"\0")
        if self._too_long or len(self._carry) + len(piece) > self._max:
            self._too_long = True
            self._carry.clear()
        else:
            self._carry += piece
