"""ACSNet: a multi-task network for breast ultrasound, segmentation and classification in one pass.

One 3-channel image goes in; two class logits (benign, malignant) and a map of segmentation logits
come out. The encoder is a ResNet-18. The decoder sees its maps through gate units (GSA) and attends
with deformable convolutions (DSA), which are written in plain tensor operations, so that an
exported graph holds the whole arithmetic of a deformable convolution rather than one node.

Every channel count scales with `width`; 64 is the real network. It has 31.82 million parameters
there, and 32.34 million with ResNet-18's own head of 1000 classes, which nothing here would use.
Shapes in this file are N x C x H x W.
"""

import torch
import torch.nn.functional as F
from torch import nn

REAL_WIDTH = 64
CLASS_NAMES = ("benign", "malignant")
IMAGE_MEAN, IMAGE_STD = 0.330, 0.204  # of grey levels in 0..1, the same for the three channels
KERNEL = 3  # of a deformable convolution, in pixels
TAPS = KERNEL * KERNEL


def normalise_image(grey):
    """Return grey levels in 0..1, N x H x W, as the network's input, N x 3 x H x W, normalised."""
    return ((grey - IMAGE_MEAN) / IMAGE_STD).unsqueeze(1).repeat(1, 3, 1, 1)


def upsample(x):
    """Double the height and width of x bilinearly, corner pixels kept in the corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def conv3x3(c_in, c_out, bias=True):
    """Make a 3x3 convolution that keeps height and width."""
    return nn.Conv2d(c_in, c_out, KERNEL, padding=1, bias=bias)


class BasicBlock(nn.Module):
    """ResNet's block: two 3x3 convolutions and a shortcut.

    N x c_in x H x W -> N x c_out x H/stride x W/stride.
    """

    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = conv3x3(c_out, c_out, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            shortcut = nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(c_out))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + shortcut)


class Encoder(nn.Module):
    """ResNet-18 without its head, parameters named as in torchvision: five maps, finest first.

    N x 3 x S x S -> N x width x S/2 x S/2, then width, 2, 4 and 8 width at S/4, S/8, S/16, S/32.
    """

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_stage(width, width, 1)
        self.layer2 = self._make_stage(width, 2 * width, 2)
        self.layer3 = self._make_stage(2 * width, 4 * width, 2)
        self.layer4 = self._make_stage(4 * width, 8 * width, 2)

    @staticmethod
    def _make_stage(c_in, c_out, stride):
        return nn.Sequential(BasicBlock(c_in, c_out, stride), BasicBlock(c_out, c_out))

    def forward(self, x):
        x0 = F.relu(self.bn1(self.conv1(x)))
        x1 = self.layer1(self.maxpool(x0))
        x2 = self.layer2(x1)
        x3 = self.layer3(x2)
        return x0, x1, x2, x3, self.layer4(x3)


class GateUnit(nn.Module):
    """GSA: scale a map of the encoder by two learned numbers an image. Keeps the shape."""

    def __init__(self, channels):
        super().__init__()
        hidden = max(2, channels // 8)
        self.gate = nn.Sequential(
            conv3x3(channels, hidden),
            nn.GroupNorm(hidden // 2, hidden),
            nn.ReLU(),
            conv3x3(hidden, 2),
            nn.Sigmoid(),
        )
        self.average = nn.AdaptiveAvgPool2d(1)
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.conv = conv3x3(channels, channels)
        self.norm = nn.GroupNorm(channels // 4, channels)

    def forward(self, x):
        channels = x.size(1)
        gate = self.gate(x)
        from_average = self.average(gate)[:, 0:1].repeat(1, channels, 1, 1)
        from_maximum = self.maximum(gate)[:, 1:2].repeat(1, channels, 1, 1)
        return F.relu(self.norm(self.conv(from_average * x + from_maximum * x)))


class DeformableConv(nn.Module):
    """Modulated deformable 3x3 convolution, N x c_in x H x W -> N x c_out x H x W.

    Each tap of each output pixel reads the input, padded by a border of zeros, at its regular place
    plus a learned offset, bilinearly, times a learned mask. Of the 18 offset channels the first
    nine are rows and the last nine columns, taps row by row; offsets are in pixels. What the taps
    read is laid out as a c_in x 3H x 3W map, on which an ordinary 3x3 convolution of stride 3 does
    the sum of products.
    """

    def __init__(self, c_in, c_out):
        super().__init__()
        self.offset_conv = conv3x3(c_in, 2 * TAPS)
        self.mask_conv = conv3x3(c_in, TAPS)
        self.pad = nn.ZeroPad2d(1)
        self.conv = nn.Conv2d(c_in, c_out, KERNEL, stride=KERNEL, bias=False)

    def forward(self, x):
        offset = self.offset_conv(x)
        mask = torch.sigmoid(self.mask_conv(x))
        taps = offset.size(1) // 2
        place = (find_regular_places(offset, taps) + offset).permute(0, 2, 3, 1)
        values = sample_bilinearly(self.pad(x), place, taps)
        mask = mask.permute(0, 2, 3, 1).unsqueeze(1)
        values = values * torch.cat([mask for _ in range(values.size(1))], dim=1)
        return self.conv(lay_out_taps(values))


def find_regular_places(offset, taps):
    """Return where the taps of an offset map, N x 18 x H x W, are before they move.

    The result is 1 x 18 x H x W, rows and then columns, in pixels of the padded map.
    """
    height, width = offset.size(2), offset.size(3)
    reach = torch.arange(-(KERNEL // 2), KERNEL // 2 + 1)
    tap_row, tap_col = torch.meshgrid(reach, reach, indexing="ij")
    tap = torch.cat([tap_row.flatten(), tap_col.flatten()]).view(1, 2 * taps, 1, 1)
    rows, cols = torch.arange(1, height + 1), torch.arange(1, width + 1)
    row, col = torch.meshgrid(rows, cols, indexing="ij")
    row = row.flatten().view(1, 1, height, width).repeat(1, taps, 1, 1)
    col = col.flatten().view(1, 1, height, width).repeat(1, taps, 1, 1)
    return torch.cat([row, col], dim=1).to(offset.dtype) + tap.to(offset.dtype)


def clamp_places(place, taps, height, width):
    """Clamp place, N x H x W x 18: its row half to 0..height-1, its column half to 0..width-1."""
    row, col = place[..., :taps], place[..., taps:]
    return torch.cat([row.clamp(0, height - 1), col.clamp(0, width - 1)], dim=-1)


def gather_corner(padded, corner, taps):
    """Read padded, N x C x H+2 x W+2, at the int64 places corner, N x H x W x 18.

    The result is N x C x H x W x 9.
    """
    batch, height, width = corner.size(0), corner.size(1), corner.size(2)
    channels, padded_width = padded.size(1), padded.size(3)
    index = (corner[..., :taps] * padded_width + corner[..., taps:]).unsqueeze(1)
    index = index.expand(-1, channels, -1, -1, -1).contiguous().view(batch, channels, -1)
    values = padded.contiguous().view(batch, channels, -1).gather(-1, index)
    return values.view(batch, channels, height, width, taps)


def sample_bilinearly(padded, place, taps):
    """Read padded, N x C x H+2 x W+2, between pixels at place, N x H x W x 18.

    The result is N x C x H x W x 9. Each value is the sum of four pixels, those at the corners
    of the square that holds the place, weighted by nearness in rows times nearness in columns.
    """
    height, width = padded.size(2), padded.size(3)
    corner = place.detach().floor()
    left_top = clamp_places(corner, taps, height, width).long()
    right_bottom = clamp_places(corner + 1, taps, height, width).long()
    left_bottom = torch.cat([right_bottom[..., :taps], left_top[..., taps:]], dim=-1)
    right_top = torch.cat([left_top[..., :taps], right_bottom[..., taps:]], dim=-1)
    place = clamp_places(place, taps, height, width)
    row, col = place[..., :taps], place[..., taps:]

    def reach_back(corner, place):
        return 1 + (corner.to(place.dtype) - place)

    def reach_on(corner, place):
        return 1 - (corner.to(place.dtype) - place)

    weights = (
        reach_back(left_top[..., :taps], row) * reach_back(left_top[..., taps:], col),
        reach_on(right_bottom[..., :taps], row) * reach_on(right_bottom[..., taps:], col),
        reach_on(left_bottom[..., :taps], row) * reach_back(left_bottom[..., taps:], col),
        reach_back(right_top[..., :taps], row) * reach_on(right_top[..., taps:], col),
    )
    corners = (left_top, right_bottom, left_bottom, right_top)
    parts = [
        weight.unsqueeze(1) * gather_corner(padded, corner, taps)
        for weight, corner in zip(weights, corners)
    ]
    return parts[0] + parts[1] + parts[2] + parts[3]


def lay_out_taps(taps):
    """Rearrange taps, N x C x H x W x 9, into N x C x 3H x 3W: a pixel becomes a 3x3 patch."""
    batch, channels, height, width = taps.size(0), taps.size(1), taps.size(2), taps.size(3)
    rows = []
    for start in range(0, TAPS, KERNEL):
        row = taps[..., start : start + KERNEL].contiguous()
        rows.append(row.view(batch, channels, height, width * KERNEL))
    return torch.cat(rows, dim=-1).view(batch, channels, height * KERNEL, width * KERNEL)


class DeformableAttention(nn.Module):
    """DSA: spatial attention between two deformable convolutions. Keeps the shape."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = DeformableConv(channels, channels)
        self.norm1 = nn.GroupNorm(channels // 4, channels)
        self.conv_mean = conv3x3(1, 1)
        self.conv_max = conv3x3(1, 1)
        self.conv2 = DeformableConv(2 * channels, channels)
        self.norm2 = nn.GroupNorm(channels // 4, channels)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        from_mean = torch.sigmoid(self.conv_mean(torch.mean(y, dim=1, keepdim=True))) * y
        from_max = torch.sigmoid(self.conv_max(torch.max(y, dim=1, keepdim=True)[0])) * y
        return F.relu(self.norm2(self.conv2(torch.cat([from_mean, from_max], dim=1))))


class Up(nn.Module):
    """1x1 convolution, ReLU and bilinear x2, N x c_in x H x W -> N x c_out x 2H x 2W."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x):
        return upsample(F.relu(self.conv(x)))


def make_norm_conv(channels, groups):
    """Make a list of layers: 3x3 convolution, GroupNorm, ReLU."""
    return [conv3x3(channels, channels), nn.GroupNorm(groups, channels), nn.ReLU()]


class ChannelAttention(nn.Module):
    """CA: scale each channel by a number from all averages and maxima. Keeps the shape."""

    def __init__(self, channels):
        super().__init__()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.reduce = nn.Linear(2 * channels, channels // 16)
        self.expand = nn.Linear(channels // 16, channels)

    def forward(self, x):
        pooled = torch.flatten(torch.cat([self.average(x), self.maximum(x)], dim=1), 1)
        scale = torch.sigmoid(self.expand(F.relu(self.reduce(pooled))))
        return F.relu(x * scale.unsqueeze(2).unsqueeze(3))


class Classifier(nn.Module):
    """Class logits, N x 2, from the encoder's two deepest maps and the first attention map."""

    def __init__(self, width):
        super().__init__()
        self.attend3 = ChannelAttention(4 * width)
        self.attend4 = ChannelAttention(8 * width)
        self.attend_mask = ChannelAttention(8 * width)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Linear(20 * width, 10 * width)
        self.logits = nn.Linear(10 * width, len(CLASS_NAMES))

    def forward(self, x3, x4, attention):
        maps = [self.attend3(x3), upsample(self.attend4(x4)), self.attend_mask(attention)]
        pooled = torch.flatten(self.average(torch.cat(maps, dim=1)), 1)
        return self.logits(F.relu(self.hidden(pooled)))


class ACSNet(nn.Module):
    """The whole network: class logits, N x 2, and segmentation logits, N x 1 x S x S, of images.

    Images are N x 3 x S x S, S a multiple of 32, as normalise_image makes them. `width` is a
    multiple of 8.
    """

    def __init__(self, width=REAL_WIDTH):
        super().__init__()
        if width <= 0 or width % 8:
            raise ValueError(f"width is {width}, but must be a positive multiple of 8")
        self.width = width
        self.encoder = Encoder(width)
        self.gate0 = GateUnit(width)
        self.gate1 = GateUnit(width)
        self.gate2 = GateUnit(2 * width)
        self.gate3 = GateUnit(4 * width)
        self.gate4 = GateUnit(8 * width)
        self.up1 = Up(8 * width, 4 * width)
        self.up2 = Up(8 * width, 2 * width)
        self.up3 = Up(4 * width, width)
        self.up4 = Up(2 * width, width)
        self.conv2 = nn.Sequential(*make_norm_conv(8 * width, 16), *make_norm_conv(8 * width, 16))
        self.conv3 = nn.Sequential(*make_norm_conv(4 * width, 8), *make_norm_conv(4 * width, 8))
        self.conv4 = nn.Sequential(*make_norm_conv(2 * width, 4), *make_norm_conv(2 * width, 4))
        mix = nn.Conv2d(2 * width, 2 * width, 1)
        self.conv5 = nn.Sequential(mix, nn.ReLU(), *make_norm_conv(2 * width, 4))
        self.attend1 = DeformableAttention(8 * width)
        self.attend2 = DeformableAttention(4 * width)
        self.out = nn.Sequential(*make_norm_conv(2 * width, 4), nn.Conv2d(2 * width, 1, 1))
        self.classifier = Classifier(width)

    def forward(self, image):
        x0, x1, x2, x3, x4 = self.encoder(image)
        y = self.conv2(torch.cat([self.gate3(x3), self.up1(self.gate4(x4))], dim=1))
        attention = self.attend1(y)
        y = self.conv3(torch.cat([self.gate2(x2), self.up2(attention)], dim=1))
        y = self.attend2(y)
        y = self.conv4(torch.cat([self.gate1(x1), self.up3(y)], dim=1))
        y = self.conv5(torch.cat([self.gate0(x0), self.up4(y)], dim=1))
        mask_logits = self.out(upsample(y))
        return self.classifier(x3, x4, attention), mask_logits


def draw_offset_weights(network, pixels, generator=None):
    """Draw the offset convolutions' weights: offsets get a deviation of about `pixels`.

    It is assumed that a ReLU after a norm cut off half of what they read, as in
    DeformableAttention; the second convolution of a pair reads maps made smaller by a sigmoid.
    """
    for attention in (network.attend1, network.attend2):
        for conv, mean_square in ((attention.conv1, 0.5), (attention.conv2, 0.25)):
            weight = conv.offset_conv.weight
            std = pixels / (weight[0].numel() * mean_square) ** 0.5
            nn.init.normal_(weight, 0.0, std, generator)
            nn.init.normal_(conv.offset_conv.bias, 0.0, 0.25 * pixels, generator)


@torch.no_grad()
def draw_weights(network, seed):
    """Fill the network with seeded random weights of a trained network's kind and return it.

    Convolutions keep the variance of what they pass on, linear layers have PyTorch's own scale
    (uniform, 1 / sqrt(inputs)), norms have uneven scales, shifts and running statistics, and
    offsets have a standard deviation of about 1.5 pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator)
            nn.init.uniform_(module.bias, -bound, bound, generator)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0.0, 0.1, generator)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.uniform_(module.weight, 0.6, 1.4, generator)
            nn.init.normal_(module.bias, 0.0, 0.2, generator)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.3, generator)
            nn.init.uniform_(module.running_var, 0.5, 2.5, generator)
    draw_offset_weights(network, 1.5, generator)
    return network
