"""Bytes in, complete lines out: the only place that knows what a line is."""


class LineSplitter:
    """
    Cuts a stream of bytes into complete lines.

    A line ends at a line feed; an unfinished one is carried over. Carriage returns before the end, NUL bytes (the hole
    that a truncated file leaves when its writer goes on) and a byte order mark are removed; empty lines are no lines. A
    line longer than `line_bytes_max` is dropped and counted, and costs no more memory than that limit.

    Attributes:
        position: Offset in the stream just after the last complete line.
        dropped: Lines that were too long.
        rest_taken: The unfinished line was given out by `take_rest`.
    """

    def __init__(self, *, position: int = 0, line_bytes_max: int) -> None:
        self.position = position
        self.dropped = 0
        self.rest_taken = False
        self._max = line_bytes_max
        self._carry = bytearray()
        self._skipping = 0  # bytes of a too long line that were thrown away so far

    @property
    def received(self) -> int:
        """Offset in the stream up to which bytes were given."""
        return self.position + self._skipping + len(self._carry)

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
        if self.rest_taken and block:
            end = block.find(b"\n") + 1
            self.position += len(self._carry) + end
            self._carry.clear()
            self.rest_taken = False
            block = block[end:]
        if b"\n" not in block:
            self._keep(block)
            return []
        lines = []
        first, *middle, rest = block.split(b"\n")
        if self._skipping:
            self.dropped += 1
            self.position += self._skipping + len(first) + 1
            self._skipping = 0
        else:
            lines.append(self._line(bytes(self._carry) + first if self._carry else first))
            self._carry.clear()
        lines += [self._line(line) for line in middle]
        self._keep(rest)
        return [(offset, line) for offset, line in lines if line]

    def _line(self, raw: bytes) -> tuple[int, bytes]:
        offset = self.position
        self.position += len(raw) + 1
        if len(raw) > self._max:
            self.dropped += 1
            return offset, b""
        if b"\0" in raw:
            raw = raw.replace(b"\0", b"")
        if raw.startswith(b"\xef\xbb\xbf"):
            raw = raw[3:]
        return offset, raw.rstrip(b"\r")

    def _keep(self, block: bytes) -> None:
        if self._skipping:
            self._skipping += len(block)
        elif len(self._carry) + len(block) > self._max:
            self._skipping = len(self._carry) + len(block)
            self._carry.clear()
        else:
            self._carry += block
