"""Train the narrow ACSNet on phantoms, on a CPU, in about ten minutes, and export it.

    python examples/acsnet/train.py --out DIR

Training starts on phantoms at half resolution, where steps are cheap, and ends at full resolution.
The offset convolutions start from non-zero weights and are trained like the rest, more slowly. What
comes out, in DIR: acsnet_narrow.npz (the weights), acsnet_narrow_ts17.onnx and
acsnet_narrow_dynamo21.onnx. With --test FILE there is no training: the weights in FILE are tested
on held-out phantoms.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from export import export_form, load_weights, make_reference_image, save_weights
from network import ACSNet, draw_offset_weights, normalise_image
from phantoms import SIZE, make_phantom

WIDTH = 8
TEST_SEEDS = range(10_000_000, 10_000_100)  # training counts its seeds from 0
STAGES = (  # pixels, phantoms, steps, phantoms a step, highest learning rate
    (SIZE // 2, 640, 1100, 8, 3e-3),
    (SIZE, 320, 160, 4, 8e-4),
)
OFFSET_RATE = 0.3  # learning rate of offset convolutions, as a share of the others'


def make_batch(seeds, size):
    """Make phantoms: images (N x size x size, 0..1), masks (as large, 0 or 1), classes (N).

    Phantoms smaller than SIZE are full ones, averaged down.
    """
    images, masks, classes = zip(*(make_phantom(seed) for seed in seeds))
    images, masks = torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)).float()
    if size != SIZE:
        images, masks = (
            F.avg_pool2d(maps[:, None], SIZE // size)[:, 0] for maps in (images, masks)
        )
    return images, (masks >= 0.5).float(), torch.tensor(classes)


def vary_batch(images, masks):
    """Mirror half of the phantoms and change gain and contrast a little; shapes stay."""
    mirrored = torch.rand(len(images)) < 0.5
    images = torch.where(mirrored[:, None, None], images.flip(-1), images)
    masks = torch.where(mirrored[:, None, None], masks.flip(-1), masks)
    contrast = 1 + 0.15 * torch.randn(len(images), 1, 1)
    gain = 0.04 * torch.randn(len(images), 1, 1)
    return ((images - 0.35) * contrast + 0.35 + gain).clamp(0, 1), masks


def compute_dice(inside, masks):
    """Return the Dice overlap, N, of what is said to be inside, 0..1, and masks, both N x H x W."""
    shared = (inside * masks).sum((1, 2))
    return (2 * shared + 1) / (inside.sum((1, 2)) + masks.sum((1, 2)) + 1)


def compute_loss(outputs, masks, classes):
    """Return the loss of class and mask logits: cross entropy on both, and one minus Dice."""
    class_logits, mask_logits = outputs[0], outputs[1][:, 0]
    dice = compute_dice(torch.sigmoid(mask_logits), masks).mean()
    pixels = F.binary_cross_entropy_with_logits(mask_logits, masks)
    return pixels + (1 - dice) + 0.5 * F.cross_entropy(class_logits, classes)


def make_optimizer(network):
    """Make an Adam optimizer in which offset convolutions are a group with a rate of their own."""
    offsets, others = [], []
    for name, parameter in network.named_parameters():
        (offsets if "offset_conv" in name else others).append(parameter)
    return torch.optim.AdamW(
        [{"params": others, "share": 1.0}, {"params": offsets, "share": OFFSET_RATE}],
        weight_decay=1e-4,
    )


def train_stage(network, optimizer, first_seed, stage):
    """Train through one of STAGES with phantoms numbered from first_seed."""
    size, n_phantoms, n_steps, n_batch, peak_rate = stage
    images, masks, classes = make_batch(range(first_seed, first_seed + n_phantoms), size)
    network.train()
    start, mean_loss = time.time(), None
    for step in range(n_steps):
        warm = min(1.0, (step + 1) / 30)
        rate = peak_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / n_steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        chosen = torch.randint(n_phantoms, (n_batch,))
        grey, wanted = vary_batch(images[chosen], masks[chosen])
        loss = compute_loss(network(normalise_image(grey)), wanted, classes[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        mean_loss = loss.item() if mean_loss is None else 0.95 * mean_loss + 0.05 * loss.item()
        if (step + 1) % 50 == 0:
            progress = f"{size} px, step {step + 1}: loss {mean_loss:.3f}"
            print(f"{progress}, {time.time() - start:.0f} s", flush=True)


@torch.no_grad()
def test_network(network, seeds=TEST_SEEDS):
    """Return the mean and the lowest Dice, and the share of right classes, on seeds' phantoms."""
    network.eval()
    dice, right = [], []
    for seed in seeds:
        image, mask, class_number = make_batch([seed], SIZE)
        class_logits, mask_logits = network(normalise_image(image))
        dice.append(compute_dice((mask_logits[:, 0] > 0).float(), mask).item())
        right.append(class_logits.argmax(1).item() == class_number.item())
    return np.mean(dice), np.min(dice), np.mean(right)


@torch.no_grad()
def measure_offsets(network, image):
    """Return the deviation of each deformable convolution's offsets, in pixels of its map."""
    found = []

    def note_output(_module, _inputs, output):
        found.append(output.std().item())

    modules = [m for name, m in network.named_modules() if name.endswith("offset_conv")]
    hooks = [module.register_forward_hook(note_output) for module in modules]
    network.eval()(image)
    for hook in hooks:
        hook.remove()
    return found


def train_network(seed):
    """Return a narrow ACSNet trained through STAGES, seeded."""
    torch.manual_seed(seed)
    network = ACSNet(WIDTH)
    with torch.no_grad():
        draw_offset_weights(network, 1.0)
    optimizer = make_optimizer(network)
    first_seed = 0
    for stage in STAGES:
        train_stage(network, optimizer, first_seed, stage)
        first_seed += stage[1]
    return network.eval()


def main():
    """Train, export and test, or only test, as the command line says."""
    parser = argparse.ArgumentParser(description="Train the narrow ACSNet on phantoms.")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--test", metavar="FILE", help="test these weights instead of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    image = make_reference_image(SIZE)
    if options.test:
        network = load_weights(ACSNet(WIDTH), options.test).eval()
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        network = train_network(options.seed)
        save_weights(network, options.out / "acsnet_narrow.npz")
        for form in ("ts17", "dynamo21"):
            export_form(network, form, image, options.out / f"acsnet_narrow_{form}.onnx")
    mean_dice, lowest_dice, accuracy = test_network(network)
    offsets = ", ".join(f"{std:.2f}" for std in measure_offsets(network, image))
    print(f"{len(TEST_SEEDS)} held-out phantoms: Dice {mean_dice:.3f}, lowest {lowest_dice:.3f}")
    print(f"classes right: {accuracy:.2f}")
    print(f"standard deviation of offsets, by layer: {offsets} pixels")


if __name__ == "__main__":
    main()
