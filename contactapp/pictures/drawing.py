"""Uploaded pictures: judged by decoding, redrawn, nothing of the file kept. Pure."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

MAX_PIXELS = 16_000_000
MAX_SIDE = 16_000
_QUALITY = 85
_ORIENTATION = 0x0112  # how the camera was held, by the number of the EXIF standard
_TURNS: dict[Any, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DECODED = 2048  # pixels a side that are enough for what is drawn
_PNG = b"\x89PNG\r\n\x1a\n"
_OURS = (b"VP8 ", b"VP8X")
_DRAWN_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}
# We judge the size by the header, before anything is decoded: Pillow's own check only warns, and
# lets ten times as much pass.
Image.MAX_IMAGE_PIXELS = None


class Refused(Exception):
    """A file that is no picture for us: a stable code, and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def judge(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """Open a picture of one of the formats by its header; nothing is decoded yet. Raises Refused.

    An 11 KiB PNG can unfold to 400 MiB, so its size is looked at first (ASVS 5.2.6).
    """
    try:
        image = Image.open(BytesIO(_bare(data)), formats=formats)
        width, height = image.size
    except Exception:  # decoders raise anything for what they did not expect
        *most, last = formats
        problem = f"Not a {', '.join(most)} or {last} picture."
        raise Refused("invalid_image", problem) from None
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        problem = f"At most {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} pixels a side."
        raise Refused("image_too_large", problem)
    return image


def _bare(data: bytes) -> bytes:
    """A PNG without the chunks that are not drawn. Texts and profiles may be compressed, and Pillow
    unfolds them when it opens a file: 70 KB to 250 MB, or for seconds."""
    if not data.startswith(_PNG):
        return data
    kept, start, kind = [_PNG], len(_PNG), b""
    while kind != b"IEND" and start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])  # length, kind, checksum
        kind = data[start + 4 : start + 8]
        if kind in _DRAWN_CHUNKS:
            kept.append(data[start:end])
        start = end
    return b"".join(kept)


def is_drawn(data: bytes, side: int) -> bool:
    """Whether a file is nothing but a picture such as `squares` makes: lossy WebP of this size,
    perhaps with an alpha channel, and no other chunk and no byte besides. It may stay as it is, so
    that what is exported and imported again and again does not wear out."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or data[12:16] not in _OURS:
        return False
    start, kinds = 12, []
    while start < len(data):
        kinds.append(data[start : start + 4])
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        start += 8 + length + length % 2
    whole = start == len(data) == int.from_bytes(data[4:8], "little") + 8
    if not whole or kinds not in ([b"VP8 "], [b"VP8X", b"ALPH", b"VP8 "]):
        return False
    with Image.open(BytesIO(data), formats=["WEBP"]) as image:
        return image.size == (side, side)


def squares(image: Image.Image, sizes: tuple[int, ...]) -> dict[int, bytes]:
    """WebP squares of these pixels a side, cut from the middle, upright. Raises Refused.

    The first frame is drawn onto a new image: comments, EXIF, colour profiles and whatever follows
    the picture in the file stay behind.
    """
    try:
        if image.format == "JPEG":
            image.draft("RGB", (_DECODED // 2, _DECODED // 2))  # decodes at a part of the size
        image.load()
        # Smaller first: all the rest works on a few hundred kilobytes.
        image.thumbnail((_DECODED, _DECODED), Image.Resampling.BOX)
        turn = _TURNS.get(image.getexif().get(_ORIENTATION))
        upright = image if turn is None else image.transpose(turn)
        has_alpha = upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info
        square = _middle(upright.convert("RGBA" if has_alpha else "RGB"))
        return {size: _drawn(square, size) for size in sizes}
    except Exception:  # as above, and whatever hostile metadata makes of it
        raise Refused("invalid_image", "The picture is damaged.") from None


def _middle(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _drawn(square: Image.Image, size: int) -> bytes:
    fresh = Image.new(square.mode, (size, size))
    fresh.paste(square.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0))
    out = BytesIO()
    fresh.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()
