"""Makes the screenshots of the console's tour small enough to be committed: palette images of few colours.

usage: ATTESTARY_SHOTS=/tmp/shots pytest e2e/test_console.py; python e2e/console_shots.py /tmp/shots docs/console
"""

import collections
import pathlib
import struct
import sys
import zlib

COLOURS = 64
SKIPPED = "failed-"


def pixels(png):
    """Reads an 8-bit RGB or RGBA image: width, and its rows as lists of (r, g, b)."""
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        content = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", content[:10])
            assert depth == 8 and colour in (2, 6), "a screenshot is 8-bit RGB"
        if kind == b"IDAT":
            data += content
        at += 12 + length
    step = 3 if colour == 2 else 4
    raw, stride, rows = zlib.decompress(data), width * step, []
    before = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1:start + 1 + stride]), before, step)
        rows.append([tuple(line[place:place + 3]) for place in range(0, stride, step)])
        before = line
    return width, rows


def unfiltered(kind, line, above, step):
    """Takes the row's filter back (PNG, section 9)."""
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(line, above))
    for at in range(len(line)) if kind else ():
        left, corner = (line[at - step], above[at - step]) if at >= step else (0, 0)
        up = above[at]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) >> 1
        else:
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
        line[at] = (line[at] + guess) & 255
    return line


def small(png):
    """The same picture with the colours that matter most; the others become the nearest of them."""
    width, rows = pixels(png)
    counts = collections.Counter(pixel for row in rows for pixel in row)
    # Colours that differ by little are one; the most frequent stands for them.
    groups = {}
    for colour, count in counts.most_common():
        group = groups.setdefault(tuple(part >> 3 for part in colour), [colour, 0])
        group[1] += count
    # What is green or red says something, however few pixels it has; greys are mostly edges of letters.
    ranked = sorted(groups.values(), key=lambda group: -group[1] * (1 + max(group[0]) - min(group[0])))
    palette = [colour for colour, _ in ranked[:COLOURS]]
    nearest = {
        key: min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(palette[at], colour)))
        for key, (colour, _) in groups.items()
    }
    place = {colour: nearest[tuple(part >> 3 for part in colour)] for colour in counts}
    data = b"".join(b"\0" + bytes(map(place.__getitem__, row)) for row in rows)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(map(bytes, palette))), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""),
    ]
    made = b"".join(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks)
    return png[:8] + made


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:])
    for file in sorted(source.glob("*.png")):
        if not file.name.startswith(SKIPPED):
            (target / file.name).write_bytes(small(file.read_bytes()))
