"""Colours stay apart, for colour-blind readers too, and words can be read."""

import inspect
import itertools
import re

import numpy as np
import pytest

from minillama.teach import algorithms, figures, tables

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB
SEEN_AS = {
    "everybody": np.eye(3),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968],
                              [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868],
                            [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]])}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722],
                   [0.0193, 0.1192, 0.9505]])
PANELS = {"white": "#FFFFFF", "code panel": "#F4F5F7"}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    curve = ((values + 0.055) / 1.055) ** 2.4
    return np.where(values <= 0.04045, values / 12.92, curve)


def lab(colour: str, eye: str) -> np.ndarray:
    """CIELAB as that eye sees it."""
    xyz = TO_XYZ @ np.clip(SEEN_AS[eye] @ linear(colour), 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one: str, two: str, eye: str) -> float:
    """Distance of two colours; two or three can just be seen side by side."""
    return float(np.linalg.norm(lab(one, eye) - lab(two, eye)))


def contrast(one: str, two: str) -> float:
    """Contrast ratio of WCAG."""
    light = sorted((TO_XYZ[1] @ linear(c) + 0.05 for c in (one, two)))
    return float(light[1] / light[0])


@pytest.mark.parametrize("eye", SEEN_AS)
def test_colours_stay_apart_for_every_eye(eye):
    for one, two in itertools.combinations(figures.COLOURS, 2):
        distance = apart(figures.COLOURS[one], figures.COLOURS[two], eye)
        assert distance > 12, f"{one} and {two}"
    for name, colour in figures.COLOURS.items():
        for panel in PANELS.values():
            assert apart(colour, panel, eye) > 30, f"{name} on {panel}"


def test_the_measure_knows_a_bad_pair():
    red, green = "#A05030", "#707020"
    assert apart(red, green, "deuteranopia") < 12 < apart(red, green, "everybody")
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21, rel=1e-3)


def test_words_can_be_read_on_their_panels():
    for name in ("black", "grey", "blue"):
        assert contrast(figures.COLOURS[name], PANELS["white"]) > 4.5, name
    sources = "".join(inspect.getsource(module) for module in (tables, algorithms))
    html = tables.code_html(sources + "\n@f\ndef g(a=0x1, *b): return f'{a!r}' if 1. "
                            "else None\nclass A(B): '''d'''\nimport x as y\n")
    used = set(re.findall(r"(?<![-\w])color:\s*(#[0-9A-Fa-f]{3,6})\b", html))
    assert len(used) > 4
    for colour in used:
        full = colour if len(colour) == 7 else "#" + "".join(c * 2 for c in colour[1:])
        assert contrast(full, PANELS["code panel"]) > 4.5, colour
