"""What did published networks learn?

`diagnose` on sixteen denoisers (Mohan et al. 2020: DnCNN and a U-Net, with and without biases, each
trained on noise up to one of four strengths) and six derainers (Ren et al. 2019: PReNet and
PReNet_r, each trained on one of three sets), with the weights that their authors published. Needs
PyTorch, and the data sets bias_free_denoising, prenet, bsd68 and rain100h (`shortcut1d data get`).
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from common import published, registered
from common.papers import Sentence
from common.published import Published
from common.published_figure import MEASURES, SHOWN, SWEEP, plot
from common.published_tasks import OTHER_PHOTOGRAPHS, OWN_RAIN, Panel, luminance, whole_pictures

from shortcut1d import errors
from shortcut1d.analysis.denoiser import output_of
from shortcut1d.analysis.fidelity import psnr
from shortcut1d.analysis.sensitivity import bias_share, noise_sweep
from shortcut1d.analysis.transfer import relative_error
from shortcut1d.data.family import identity
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.adapters import from_torch
from shortcut1d.diagnosis.inputs import CONTENT, DEGRADATION, SEEN
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.provenance import settings, stamp_of_table
from shortcut1d.training.grid import ProgressReport
from shortcut1d.training.sweep import Record, Session

CONTROL, WHOLE = "control", "whole pictures"  # roles of tests beside those of a diagnosis
LEVELS = (5, 10, 20, 30, 55, 80, 110, 150, 200)  # of the sweep, of 255
PUBLISHED_LEVEL, PUBLISHED_RANGE = 25, 55  # of the published PSNR: of the noise; trained on up to
ARCHITECTURES = ("DnCNN", "U-Net", "PReNet", "PReNet_r")


@dataclass(frozen=True)
class Config:
    """On how many pictures."""

    samples: int = option(8, "pictures a test")
    size: int = option(64, "pixels along each side of the crops")
    first_picture: int = option(0, "number of the first picture of each set")
    first_seed: int = option(0, "seed of noise, rain and other contents")
    whole: int = option(2, "whole pictures to compare published PSNR on; 0 for none")
    architectures: tuple[str, ...] = option(ARCHITECTURES, f"which of {', '.join(ARCHITECTURES)}")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("samples", self.samples, low=8)
        errors.integer("size", self.size, low=32, high=320)
        errors.integer("first_picture", self.first_picture, low=0, high=60)
        errors.integer("first_seed", self.first_seed, low=0)
        errors.integer("whole", self.whole, low=0)
        errors.non_empty("architectures", self.architectures, "at least one")
        for name in self.architectures:
            errors.choice("architectures", name, ARCHITECTURES)


def run(config: Config, session: Session) -> Result:
    """Diagnose each network that the store does not hold."""
    networks = [one for one in published.networks() if one.architecture in config.architectures]
    panel = Panel(config.samples, config.size, config.first_picture, config.first_seed)
    code = stamp_of_table(Path(__file__))
    names = [
        identity(session.stamp, code, settings(config, ""), network.name) for network in networks
    ]
    ready = sum(name in session.store for name in names)
    done = ready
    session.progress(ProgressReport(done, len(names), 0, earlier=ready))
    for network, name in zip(networks, names, strict=True):
        if name in session.store:
            continue

        def report(part: float, before: int = done) -> None:
            session.progress(ProgressReport(before + part, len(names), 0))

        session.store.update({name: measured(network, panel, config, report)})
        done += 1
        session.progress(ProgressReport(done, len(names), 0))
    records = [session.store[name] for name in names]
    tables = [rows_of(network, record) for network, record in zip(networks, records, strict=True)]
    arrays = {"diagnosis": np.stack([record["diagnosis"] for record in records])}
    for network, record in zip(networks, records, strict=True):
        for tested_on in TO_SHOW.get(network.name, ()):
            arrays[f"{SHOWN}{network.name}; {tested_on}"] = record[f"{SHOWN}{tested_on}"]
    return Result(pd.concat(tables, ignore_index=True), arrays)


PER_PICTURE = "per picture: "  # what names of a record's arrays begin with
LEFT, ERROR, PSNR, BIAS = "left", "nmse", "psnr", "bias_share"
TO_SHOW: dict[str, tuple[str, ...]] = {
    "DnCNN, noise to 30": ("noise 60",),
    "DnCNN without biases, noise to 30": ("noise 60",),
    "PReNet, Rain100H": (OWN_RAIN, "large"),
}


def measured(
    network: Published, panel: Panel, config: Config, progress: Callable[[float], None]
) -> Record:
    """What is kept of one network: measures of each picture, those of its report, and outputs."""
    module = network.load()
    denoiser = from_torch(module.to(device_of(module)))
    tests, key = panel.of(network), jax.random.key(config.first_seed)
    seen, (clean, degraded) = tests.seen
    report = diagnose(
        denoiser,
        clean,
        degraded,
        unseen_content=tests.content,
        unseen_degradation=tests.degradation,
        samples=config.samples,
        portraits=0,
        pictures=True,
        key=key,
        progress=lambda done, total: progress(0.9 * done / total),
    )
    record: Record = {"diagnosis": np.array([report[name][:3] for name in MEASURES], np.float64)}
    for number, case in enumerate(report.cases):
        name = seen if case.name == SEEN else case.name
        columns = {
            LEFT: report.per_sample["relative_error", case.name][0],
            ERROR: report.per_sample["nmse", case.name][0],
            PSNR: report.per_sample["psnr", case.name][0],
        }
        if not network.derains and case.role != CONTENT:
            columns[BIAS] = np.asarray(bias_share(denoiser, case.degraded))
        keep(record, case.role, name, columns)
        parts = case.degraded[SHOWN_PICTURE], case.clean[SHOWN_PICTURE]
        crop = np.stack([*parts, report.outputs[number][SHOWN_PICTURE]])
        record[f"{SHOWN}{name}"] = np.round(255 * np.clip(crop, 0, 1)).astype(np.uint8)
    if tests.control:
        target, given = tests.control
        output = output_of(denoiser, given)
        columns = {LEFT: relative_error(output, target, given), PSNR: psnr(output, target)}
        keep(record, CONTROL, network.trained_on, columns)
    if not network.derains:
        levels = np.array(LEVELS) / 255
        for level, found in zip(LEVELS, noise_sweep(denoiser, clean, levels, key), strict=True):
            keep(record, SWEEP, f"noise {level}", {PSNR: np.asarray(found)})
    if config.whole and (network.level == PUBLISHED_RANGE or network.trained_on == OWN_RAIN):
        found = []
        for pair in whole_pictures(network, config.whole, PUBLISHED_LEVEL, config.first_seed):
            target, output = pair[0], np.asarray(denoiser(pair[1]))
            if network.derains:
                target, output = luminance(target), luminance(output)
            found.append(float(psnr(output, target)[0]))
        tested = OWN_RAIN if network.derains else f"noise {PUBLISHED_LEVEL}"
        keep(record, WHOLE, tested, {PSNR: np.array(found)})
    return record


SHOWN_PICTURE = 3  # number of it, among those of a test


def device_of(module: Any) -> str:
    """Where to run it: on a GPU that PyTorch can use, if there is one."""
    import torch  # optional

    torch.backends.cudnn.allow_tf32 = False  # products as exact as on a CPU
    return "cuda" if torch.cuda.is_available() else "cpu"


def keep(record: Record, role: str, tested_on: str, columns: dict[str, Any]) -> None:
    """Put the measures of each picture of a test into a record."""
    for measure, values in columns.items():
        record[f"{PER_PICTURE}{role}: {tested_on}: {measure}"] = np.asarray(values, np.float64)


def rows_of(network: Published, record: Record) -> pd.DataFrame:
    """A row for each picture of each test."""
    tests: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name, values in record.items():
        if name.startswith(PER_PICTURE):
            role, tested_on, measure = name.removeprefix(PER_PICTURE).split(": ")
            tests.setdefault((role, tested_on), {})[measure] = values
    who = {
        "network": network.name,
        "architecture": network.architecture,
        "trained_on": network.trained_on,
        "bias": network.bias,
        "level": network.level,
    }
    return pd.concat(
        [
            pd.DataFrame(
                who
                | {"role": role, "tested_on": tested_on}
                | {"picture": np.arange(len(columns[PSNR]))}
                | {name: columns.get(name, np.nan) for name in (LEFT, ERROR, PSNR, BIAS)}
            )
            for (role, tested_on), columns in tests.items()
        ],
        ignore_index=True,
    )


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the networks that are there; over pictures."""
    found: dict[str, Judged] = {}
    if {"DnCNN", "U-Net"} <= set(table["architecture"]):
        found |= of_denoisers(table)
    if {"PReNet", "PReNet_r"} <= set(table["architecture"]):
        found |= of_derainers(table)
    how: Any = {"over": "pictures", "domain": "2D"}
    return [
        REGISTERED.claim(name, found[name][0], Sentence.__members__, of=found[name][1], **how)
        for name in REGISTERED.claims
        if name in found
    ]


# What a claim is on: `(pictures, networks, 2)`, and the statistic over pictures.
Judged = tuple[np.ndarray, Callable[[np.ndarray], Any]]


def of_denoisers(table: pd.DataFrame) -> dict[str, Judged]:
    """The claims on noise, by name."""
    denoisers = [network for network in published.networks() if not network.derains]
    biased = [network for network in denoisers if network.bias]
    free = [network for network in denoisers if not network.bias]
    weak = [network for network in biased if network.level <= WEAK]

    def by_bias(role: str) -> np.ndarray:
        return np.stack([values(table, PSNR, networks, role) for networks in (biased, free)], -1)

    def by_noise(measure: str, networks: list[Published]) -> np.ndarray:
        roles = SEEN, DEGRADATION
        return np.stack([values(table, measure, networks, role) for role in roles], -1)

    return {
        "beyond": (by_bias(DEGRADATION), lambda parts: np.min(changes(parts))),
        "inside": (by_bias(SEEN), lambda parts: np.mean(changes(parts))),
        "net_bias": (by_noise(BIAS, biased), lambda parts: np.mean(changes(parts))),
        "biased_overfit": (by_noise(LEFT, weak), lambda parts: np.mean(transfers(parts))),
        "free_generalise": (by_noise(LEFT, free), lambda parts: np.min(transfers(parts))),
    }


def of_derainers(table: pd.DataFrame) -> dict[str, Judged]:
    """The claims on rain, by name."""
    own, lighter = (
        [network for network in published.networks() if network.trained_on == rain]
        for rain in (OWN_RAIN, "Rain100L")
    )
    seen, other = (values(table, LEFT, own, role) for role in (SEEN, DEGRADATION))
    elsewhere = values(table, LEFT, own, CONTENT, OTHER_PHOTOGRAPHS)
    of_lighter = values(table, LEFT, lighter, DEGRADATION, OWN_RAIN)

    def more_left(first: np.ndarray, second: np.ndarray) -> Judged:
        return np.stack([first, second], -1), lambda parts: np.mean(changes(parts))

    return {
        "rain": more_left(elsewhere, other),
        "own_rain": more_left(seen, of_lighter),
        "moved": more_left(seen, values(table, LEFT, own, CONTROL)),
        "rain_transfer": (np.stack([seen, other], -1), lambda parts: np.mean(transfers(parts))),
    }


def values(
    table: pd.DataFrame, measure: str, networks: list[Published], role: str, test: str = ""
) -> np.ndarray:
    """A measure, `(pictures, networks)`, under one test, or the mean over all tests of a role."""
    rows = table[(table["role"] == role) & (table["tested_on"].eq(test) | (test == ""))]
    found = rows.pivot_table(index="picture", columns="network", values=measure)
    return found[[network.name for network in networks]].to_numpy()


def changes(parts: np.ndarray) -> np.ndarray:
    """Of each network, its second part less its first, mean over pictures."""
    return np.diff(parts.mean(axis=0), axis=1)[:, 0]


def transfers(shares_left: np.ndarray) -> np.ndarray:
    """Of each network, the share removed of the second part over that of the first."""
    seen, unseen = (1 - shares_left.mean(axis=0)).T
    return unseen / seen


WEAK = 30  # of 255: denoisers trained up to it are those on weak noise


REGISTERED = registered.of("published_networks")
experiment = Experiment(
    name="published_networks",
    message=(
        "Published networks, diagnosed: biases tie denoisers to the noise that they were trained "
        "on, and derainers are tied to their rain."
    ),
    presets={
        "smoke": Config(size=32, whole=0, architectures=("U-Net", "PReNet_r")),
        "quick": Config(),
        "full": Config(samples=100, size=256, whole=100),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    unit="networks",
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
