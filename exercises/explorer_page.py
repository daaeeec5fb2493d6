"""The latent explorer as a part of the report page; ``page/explorer.js`` makes it answer."""

from __future__ import annotations

import base64
import json
from html import escape

import numpy as np
from matplotlib.ticker import MaxNLocator

from exercises.explorer import STEPS, Explorer, Plane, digit_sprite, sprite
from nnscratch.plotting import DIGIT_COLORS
from nnscratch.training import Array

SCALE = 1000  # width of a plane in the units of its drawing
LAYERS = 20  # each with some points of every digit, so that no digit covers the others


def explorer_section(explorer: Explorer, script: str) -> str:
    """HTML of the explorer, its pictures and data, and the script that connects them."""
    digits, columns = digit_sprite(explorer.digits)
    panels = "\n".join(_panel(plane, explorer) for plane in explorer.planes)
    data = {
        "side": explorer.digits.shape[1],
        "steps": STEPS,
        "columns": columns,
        "labels": explorer.labels.tolist(),
        "planes": [
            {
                "name": plane.name,
                "low": plane.low.tolist(),
                "high": plane.high.tolist(),
                "codes": np.round(plane.codes.astype(np.float64), 4).tolist(),
            }
            for plane in explorer.planes
        ],
    }
    legend = "".join(
        f'<button type="button" class="digit d{digit}" aria-pressed="false">{digit}</button>'
        for digit in range(10)
    )
    errors = ", ".join(f"{100 * plane.blend_error:.1f} %" for plane in explorer.planes)
    return f"""<section id="explorer">
<h2>Latent explorer: what does the decoder draw there?</h2>
<p>Each dot is a training image at its two code numbers, coloured by its digit. Move over a plane
(mouse, finger, or arrow keys once it has the focus; with Shift in small steps): the decoder draws
the code under the cross, and beside it stands the training digit whose code is nearest. The same
training image is ringed in the other plane.</p>
<div class="legend live" role="group" aria-label="Show one digit only">{legend}</div>
<div class="planes">
{panels}
</div>
<p class="hidden" role="status" id="explorer-status"></p>
<p class="note">Shown are {len(explorer.labels):,} training images, a random choice with as many of
each digit; nearest means nearest among these. This page holds no net: each decoder was asked at
{STEPS} x {STEPS} places of its square, and between them the four drawings around are blended. At
the codes of the images shown, the blend differs from the decoder's own drawing by {errors} of the
range of grey (root mean square; left, right).</p>
<img class="sprite" id="digits" src="{png_uri(digits)}" alt="The training images shown">
<script type="application/json" id="explorer-data">{_json(data)}</script>
<script type="module">{script}</script>
</section>"""


def _panel(plane: Plane, explorer: Explorer) -> str:
    name = escape(plane.name)
    drawings = png_uri(sprite(plane.drawings[::-1]))  # a picture's first line is its upper one
    side = explorer.digits.shape[1]
    canvas = f'width="{side}" height="{side}" role="img"'
    return f"""<div class="plane">
<h3>{name}</h3>
<svg class="live" viewBox="-110 -15 1125 1100" tabindex="0" role="application"
 aria-label="Plane of codes, {name}: move with the arrow keys">
{_axes(plane)}
{_points(plane, explorer.labels)}
<circle class="ring" r="16"/>
<path class="cross" d="M-44 0h32M12 0h32M0 -44v32M0 12v32"/>
</svg>
<div class="readout live">
<div><canvas class="drawn" {canvas} aria-label="What the decoder draws"></canvas>
<p>drawn at<br><output class="place"></output></p></div>
<div><canvas class="nearest" {canvas} aria-label="Nearest training digit"></canvas>
<p>nearest training digit<br><output class="who"></output></p></div>
</div>
<img class="sprite" src="{drawings}" alt="Drawings of the decoder all over the plane, {name}">
<p>{escape(plane.text)}</p>
<p class="stamp">{escape(plane.stamp)}</p>
</div>"""


def _to_drawing(plane: Plane, codes: Array) -> Array:
    """Codes (N, 2) in the units of the drawing, whose vertical axis points down."""
    places = SCALE * (codes - plane.low) / (plane.high - plane.low)
    return np.stack([places[:, 0], SCALE - places[:, 1]], axis=1)


def _axes(plane: Plane) -> str:
    """The field, lines at round numbers with the numbers beside, and the prior's circles."""
    lines = [f'<rect class="field" width="{SCALE}" height="{SCALE}"/>']
    for axis in (0, 1):
        low, high = plane.low[axis], plane.high[axis]
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
        for tick in ticks[(low <= ticks) & (ticks <= high)]:
            at = SCALE * (tick - low) / (high - low)
            style = "zero" if tick == 0 else "tick"
            if axis == 0:
                lines.append(f'<path class="{style}" d="M{at:.1f} 0v{SCALE}"/>')
                lines.append(f'<text x="{at:.1f}" y="{SCALE + 36}">{tick:g}</text>')
            else:
                at = SCALE - at
                lines.append(f'<path class="{style}" d="M0 {at:.1f}h{SCALE}"/>')
                lines.append(f'<text class="left" x="-10" y="{at + 10:.1f}">{tick:g}</text>')
    middle = SCALE / 2
    lines.append(f'<text x="{middle}" y="{SCALE + 76}">code axis 1</text>')
    lines.append(f'<text transform="translate(-88 {middle}) rotate(-90)">code axis 2</text>')
    ((x, y),) = _to_drawing(plane, np.zeros((1, 2)))
    for radius in plane.circles:
        r = SCALE * radius / (plane.high[0] - plane.low[0])
        lines.append(f'<circle class="prior" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>')
    return "\n".join(lines)


def _points(plane: Plane, labels: Array) -> str:
    """The codes as dots (lines of no length with round ends), a path for each digit and layer."""
    paths = []
    places = np.rint(_to_drawing(plane, plane.codes)).astype(int)
    for layer in np.array_split(np.arange(len(labels)), LAYERS):
        for digit in range(10):
            dots = "".join(f"M{x} {y}h0" for x, y in places[layer[labels[layer] == digit]])
            paths.append(f'<path class="dots d{digit}" d="{dots}"/>')
    return "\n".join(paths)


def digit_style() -> str:
    """The colours of the digits, as everywhere."""
    return "\n".join(
        f".d{digit} {{ --digit: {color} }}" for digit, color in enumerate(DIGIT_COLORS)
    )


def png_uri(png: bytes) -> str:
    """A picture as the address of itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _json(data: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
