"""People before the camera: a shopper who walks past, and the hand that holds a product up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth import drawing as d

if TYPE_CHECKING:
    from tools.synth.designs import Color
    from tools.synth.drawing import Picture
    from tools.synth.scenes import Box

COATS: tuple[Color, ...] = ((92, 70, 52), (60, 64, 110), (70, 92, 66))
Point = tuple[float, float]
"""In pixels."""

SKINS: tuple[Color, ...] = ((168, 196, 232), (132, 170, 216), (92, 128, 178), (58, 84, 126))
"""Blue, green, red, from light to dark."""


def full_width(picture_width: int) -> int:
    """How wide a shopper is, in pixels, in a picture of a bay."""
    return round(picture_width * 0.22)


def draw_shopper(picture: Picture, person: Box, full: int, who: int) -> None:
    """Somebody out of focus, close to the camera: coat, head, hair.

    `person` is what is seen of them; `full` their whole width, of which the edge of the picture may cut some.
    """
    top, bottom = person[1], person[3]
    sprite = np.zeros((bottom - top, full, 4), np.uint8)
    coat = COATS[who % len(COATS)]
    body = d.canvas(full, bottom - top, coat)
    mask = np.zeros((bottom - top, full, 3), np.uint8)
    white = (255, 255, 255)
    d.polygon(mask, ((0.02, 1), (0.08, 0.38), (0.34, 0.27), (0.66, 0.27), (0.92, 0.38), (0.98, 1)), white)
    d.rectangle(mask, 0.41, 0.2, 0.59, 0.3, white)
    d.rectangle(body, 0.38, 0.0, 0.62, 0.285, (132, 156, 196))
    d.oval(mask, 0.5, 0.13, 0.19, 0.12, white)
    d.rectangle(body, 0.0, 0.0, 1.0, 0.1, (38, 46, 62))
    d.oval(body, 0.5, 0.11, 0.19, 0.12, (38, 46, 62))
    d.polygon(body, ((0.3, 0.4), (0.33, 0.4), (0.26, 1), (0.2, 1)), d.mix(coat, (0, 0, 0), 0.3))
    sprite[:, :, :3] = cv2.GaussianBlur(body, (0, 0), 4)
    sprite[:, :, 3] = cv2.GaussianBlur(mask[:, :, 0], (0, 0), 5)
    left = person[2] - full if person[0] == 0 else person[0]
    d.paste(picture, sprite, left, top)


def draw_arm(picture: Picture, wrist: Point, elbow: Point, width: float, skin: Color, sleeve: Color) -> None:
    """A forearm that comes into the picture, its sleeve from 45 % of the way on."""
    direction = np.array(elbow) - np.array(wrist)
    cuff = np.array(wrist) + 0.45 * direction
    _limb(picture, wrist, elbow, width * 0.8, width * 1.15, skin)
    _limb(picture, (float(cuff[0]), float(cuff[1])), elbow, width * 1.25, width * 1.5, sleeve)


def draw_finger(picture: Picture, root: Point, tip: Point, width: float, skin: Color) -> None:
    """One finger, rounded at its tip, with a nail and the shadow that it casts."""
    shade = picture.copy()
    _limb(
        shade,
        (root[0], root[1] + width * 0.35),
        (tip[0], tip[1] + width * 0.35),
        width,
        width * 0.9,
        (0, 0, 0),
    )
    cv2.addWeighted(shade, 0.22, picture, 0.78, 0, dst=picture)
    _limb(picture, root, tip, width, width * 0.86, skin)
    along = np.array(tip) - np.array(root)
    along /= max(1.0, float(np.linalg.norm(along)))
    nail = np.array(tip) + along * width * 0.1
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    axes = (round(width * 0.26), round(width * 0.2))
    pale = d.mix(skin, (225, 225, 250), 0.45)
    cv2.ellipse(picture, (round(nail[0]), round(nail[1])), axes, angle, 0, 360, pale, -1, cv2.LINE_AA)


def _limb(picture: Picture, root: Point, tip: Point, first: float, last: float, fill: Color) -> None:
    """A rounded bar that narrows from `first` to `last`, darker at its lower edge, lighter along its back."""
    for inset, tone in (
        (1.0, d.mix(fill, (20, 20, 40), 0.28)),
        (0.86, fill),
        (0.45, d.mix(fill, (255, 255, 255), 0.1)),
    ):
        lift = (1.0 - inset) * first * 0.28
        a, b = np.array(root, float) - (0, lift), np.array(tip, float) - (0, lift)
        across = np.array([a[1] - b[1], b[0] - a[0]])
        across /= max(1e-6, float(np.linalg.norm(across)))
        wide, narrow = first * inset / 2, last * inset / 2
        corners = np.array([a + across * wide, b + across * narrow, b - across * narrow, a - across * wide])
        cv2.fillPoly(picture, [np.rint(corners * 16).astype(np.int32)], tone, cv2.LINE_AA, shift=4)
        for end, radius in ((a, wide), (b, narrow)):
            cv2.circle(
                picture,
                (round(end[0] * 16), round(end[1] * 16)),
                round(radius * 16),
                tone,
                -1,
                cv2.LINE_AA,
                4,
            )
