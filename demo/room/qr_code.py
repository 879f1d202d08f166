"""An address as a QR code, made here: no request elsewhere."""

import segno


def draw_qr_code(address: str) -> str:
    """An SVG element, dark on white with its quiet zone, that scales to its place."""
    code = segno.make_qr(address, error="m")
    return str(
        code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    )
