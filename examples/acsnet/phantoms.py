"""Synthetic breast-ultrasound phantoms: an image, the true mask of its lesion, the lesion's class.

A phantom is a slice of DEPTH_MM x DEPTH_MM under a linear array, the skin at the top. Tissue
scatters as complex Gaussian noise, whose strength (echo, in decibels) and attenuation vary from
layer to layer; a point spread function that widens away from the focus makes speckle of it, and the
envelope is log-compressed to grey levels. Phantoms are no patients: they are made so that a small
network has something like ultrasound to learn from.

Run as a program, it writes one phantom and its mask as PNG files:

    python examples/acsnet/phantoms.py --kind benign --seed 1 --image image.png --mask mask.png
"""

import argparse
from pathlib import Path

import numpy as np

KINDS = ("benign", "malignant")  # in the order of the class numbers
SIZE = 256  # pixels
DEPTH_MM = 40.0
DYNAMIC_RANGE_DB = 50.0
TISSUES = (  # name, echo in dB, attenuation in dB per mm (beyond the scanner's gain)
    ("skin", 2.0, 0.00),
    ("fat", -15.0, 0.00),
    ("gland", -5.0, 0.10),
    ("muscle", -13.0, 0.15),
)


def smooth_noise(rng, shape, sigma):
    """Return noise of deviation 1, smoothed by a Gaussian of sigma = (rows, columns) pixels."""
    noise = filter_gaussian(rng.standard_normal(shape), sigma)
    return (noise - noise.mean()) / (noise.std() + 1e-12)


def filter_gaussian(field, sigma, cycles=0.0):
    """Convolve field, wrapping round, with a Gaussian of sigma = (rows, columns) pixels.

    The Gaussian's sum is 1. With cycles, in periods a row, it is the envelope of a complex pulse.
    """
    row = np.fft.fftfreq(field.shape[0])[:, None] - cycles
    col = np.fft.fftfreq(field.shape[1])[None, :]
    gain = np.exp(-2 * np.pi**2 * ((sigma[0] * row) ** 2 + (sigma[1] * col) ** 2))
    result = np.fft.ifft2(np.fft.fft2(field) * gain)
    return result if np.iscomplexobj(field) or cycles else result.real


def draw_layers(rng, size):
    """Draw layers: a size x size map of places in TISSUES, and each one's lower end (pixels)."""
    pixels_per_mm = size / DEPTH_MM
    ends_mm = np.cumsum([rng.uniform(1.2, 2.2), rng.uniform(3.0, 9.0), rng.uniform(15.0, 22.0)])
    row = np.arange(size)[:, None]
    layer = np.zeros((size, size), int)
    for end_mm, waviness_mm in zip(ends_mm, (0.15, 1.2, 1.0)):
        wave = smooth_noise(rng, (1, 2 * size), (0, 0.12 * size))[0, :size]
        layer += row > (end_mm + waviness_mm * wave) * pixels_per_mm
    return layer, ends_mm * pixels_per_mm


def draw_tissue_echo(rng, layer):
    """Return the echo in dB of layers without a lesion: septa in fat, fibres in muscle."""
    size = layer.shape[0]
    echo = np.array([tissue[1] for tissue in TISSUES])[layer]
    septa = np.exp(-((smooth_noise(rng, (size, size), (0.012 * size, 0.05 * size)) / 0.10) ** 2))
    fibres = np.exp(-((smooth_noise(rng, (size, size), (0.010 * size, 0.20 * size)) / 0.15) ** 2))
    lobules = smooth_noise(rng, (size, size), (0.03 * size, 0.06 * size))
    echo = echo + 11.0 * septa * (layer == 1) + 12.0 * fibres * (layer == 3)
    echo = echo + 2.5 * lobules * (layer == 2)
    return echo + 1.0 * smooth_noise(rng, (size, size), (0.1 * size, 0.1 * size))


def draw_outline(rng, kind, size):
    """Draw an outline: half axes (pixels), tilt (radians), radius by angle (1 on the ellipse)."""
    angle = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    if kind == "benign":
        wide = rng.uniform(0.075, 0.19) * size
        axes = wide / rng.uniform(1.25, 2.0), wide
        tilt = rng.normal(0, 0.15)
        radius = 1 + sum(
            rng.normal(0, 0.035 / k) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 5)
        )
        return axes, tilt, radius
    tall = rng.uniform(0.075, 0.15) * size
    axes = tall, tall / rng.uniform(0.85, 1.5)
    tilt = rng.normal(0, 0.3)
    radius = 1 + sum(
        rng.normal(0, 0.16 / np.sqrt(k)) * np.cos(k * angle + rng.uniform(0, 7))
        for k in range(2, 9)
    )
    for _ in range(rng.integers(6, 15)):
        turn = (angle - rng.uniform(-np.pi, np.pi) + np.pi) % (2 * np.pi) - np.pi
        radius = radius + rng.uniform(0.15, 0.6) * np.exp(-np.abs(turn) / rng.uniform(0.05, 0.14))
    return axes, tilt, np.clip(radius, 0.45, 2.0)


def draw_lesion(rng, kind, layer_ends, size):
    """Draw a lesion: depth under its border, size x size, 1 at its centre, negative outside."""
    (half_height, half_width), tilt, radius = draw_outline(rng, kind, size)
    reach = 0.8 * half_height
    top, bottom = layer_ends[1] + reach, layer_ends[2] - reach
    centre_row = rng.uniform(top, bottom) if top < bottom else 0.5 * (top + bottom)
    centre_col = rng.uniform(0.28, 0.72) * size
    row, col = np.mgrid[:size, :size] + 0.5
    row, col = row - centre_row, col - centre_col
    row, col = row * np.cos(tilt) - col * np.sin(tilt), row * np.sin(tilt) + col * np.cos(tilt)
    row, col = row / half_height, col / half_width
    angles = np.linspace(-np.pi, np.pi, len(radius), endpoint=False)
    border = np.interp(np.arctan2(row, col), angles, radius, period=2 * np.pi)
    return 1 - np.hypot(row, col) / border


def add_lesion(rng, kind, depth, echo):
    """Return echo (dB) with the lesion drawn in, and what sound loses within the lesion (dB)."""
    size = echo.shape[0]
    inside = depth > 0
    texture = smooth_noise(rng, echo.shape, (0.02 * size, 0.03 * size))
    if kind == "benign":
        lesion = rng.uniform(-25, -17) + rng.uniform(0.3, 1.2) * texture
        capsule = rng.uniform(2, 7) * np.exp(-(((depth + 0.05) / 0.05) ** 2))
        return np.where(inside, lesion, echo + capsule), rng.uniform(-7, 1)
    lesion = rng.uniform(-27, -19) + rng.uniform(1.5, 3.5) * texture
    halo = rng.uniform(1, 5) * np.exp(-np.clip(-depth, 0, None) / 0.35)
    blend = 1 / (1 + np.exp(-np.clip(depth / rng.uniform(0.02, 0.06), -50, 50)))
    return lesion * blend + (echo + halo) * (1 - blend), rng.uniform(12, 26)


def attenuate(rng, layer, depth, lesion_db):
    """Return what sound loses on its way to each pixel and back, in dB, size x size."""
    size = layer.shape[0]
    path = np.array([tissue[2] for tissue in TISSUES])[layer] * DEPTH_MM / size
    inside = depth > 0
    loss = np.cumsum(path, axis=0)
    height = max(inside.sum(axis=0).max(), 1)
    shadow = np.cumsum(inside, axis=0) * lesion_db / height
    shadow = np.where(inside, 0.35, 1.0) * shadow  # most of it is seen behind the lesion
    fall = 1 - 0.4 * np.arange(size)[:, None] / size
    streaks = sum(smooth_noise(rng, (1, size), (0, share * size)) for share in (0.015, 0.08))
    shadow = filter_gaussian(shadow * fall, (0.004 * size, 0.012 * size))
    return loss + shadow + 0.7 * streaks * np.linspace(0, 1, size)[:, None]


def scan(rng, echo, loss):
    """Scan scatterers of the given echo and loss (dB): the log-compressed envelope, in 0..1."""
    size = echo.shape[0]
    noise = rng.standard_normal(echo.shape) + 1j * rng.standard_normal(echo.shape)
    field = noise * 10 ** ((echo - loss) / 20)
    focus = rng.uniform(0.3, 0.6)
    off_focus = np.abs(np.arange(size)[:, None] / size - focus)
    sharp, blurred = (focus_pulse(field, mm * size / DEPTH_MM) for mm in (0.22, 0.55))
    share = np.clip(off_focus / 0.6, 0, 1)
    envelope = np.abs(np.sqrt(1 - share) * sharp + np.sqrt(share) * blurred)
    envelope = envelope + 10 ** (-52 / 20) * np.abs(rng.standard_normal(echo.shape))
    decibels = 20 * np.log10(envelope + 1e-9) + rng.uniform(-4, 4)
    return np.clip(1 + (decibels - 24.0) / DYNAMIC_RANGE_DB, 0, 1)


def focus_pulse(field, lateral_sigma):
    """Convolve scatterers with a pulse of sigma 0.12 mm x lateral_sigma pixels; keep the power."""
    size = field.shape[0]
    axial_sigma = 0.12 * size / DEPTH_MM
    echo = filter_gaussian(field, (axial_sigma, lateral_sigma), cycles=0.1)
    return echo * np.sqrt(4 * np.pi * max(axial_sigma, 0.28) * max(lateral_sigma, 0.28))


def make_phantom(seed, kind=None, size=SIZE):
    """Make a seed's phantom: image (size x size, float32 in 0..1), mask (uint8, 0 or 1), class.

    The class is 0 for a benign lesion, 1 for a malignant one; kind, one of KINDS, chooses it, and
    None leaves it to chance.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[rng.integers(2)] if kind is None else kind
    layer, layer_ends = draw_layers(rng, size)
    echo = draw_tissue_echo(rng, layer)
    depth = draw_lesion(rng, kind, layer_ends, size)
    echo, lesion_db = add_lesion(rng, kind, depth, echo)
    loss = attenuate(rng, layer, depth, lesion_db)
    image = scan(rng, echo, loss).astype(np.float32)
    return image, (depth > 0).astype(np.uint8), KINDS.index(kind)


def save_phantom(seed, kind, image_path, mask_path):
    """Write a phantom as an 8-bit grey PNG, and its mask, 0 or 255, as another."""
    from PIL import Image  # here, so that making phantoms takes NumPy alone

    image, mask, _ = make_phantom(seed, kind)
    for path in (image_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(image_path)
    Image.fromarray(mask * 255).save(mask_path)


def main():
    """Write the phantom that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a synthetic phantom and its mask.")
    parser.add_argument("--kind", choices=KINDS, default="benign")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--image", type=Path, required=True, help="PNG file to write the image to")
    parser.add_argument("--mask", type=Path, required=True, help="PNG file to write the mask to")
    options = parser.parse_args()
    save_phantom(options.seed, options.kind, options.image, options.mask)


if __name__ == "__main__":
    main()
