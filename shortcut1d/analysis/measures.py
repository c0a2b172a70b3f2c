"""The measures that a sweep and a diagnosis take alike, under one set of names."""

from jaxtyping import Array, Float

from shortcut1d.analysis.decoupled import component_gains, decoupled_errors
from shortcut1d.analysis.denoiser import Samples
from shortcut1d.analysis.fidelity import MID_GREY, TAPS, psnr, ssim
from shortcut1d.analysis.transfer import nmse, relative_error

PAPERS_THRESHOLD = 50 / 255  # of the residual, for `E_R` and `E_B` of pictures in [0, 1]


def measures_of(
    output: Samples,
    content: Samples,
    degraded: Samples,
    *,
    pictures: bool = False,
    threshold: float = PAPERS_THRESHOLD,
) -> dict[str, Float[Array, " batch"]]:
    """`nmse, relative_error, content_gain, degradation_gain, unexplained, e_r, e_b` of each sample.

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
        pictures: samples are pictures with values in [0, 1]. All but `e_r` and `e_b` are then
            measured from mid-grey, or a picture's mean brightness would hide everything else; and
            `psnr` comes on top, and `ssim` where the pictures are large enough for its window.
        threshold: where a residual counts as there, for `e_r` and `e_b`; in the samples' unit.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite.
    """
    on, off = decoupled_errors(output, content, degraded, threshold=threshold)
    of_pictures: dict[str, Float[Array, " batch"]] = {}
    if pictures:
        of_pictures["psnr"] = psnr(output, content)
        if min(content.shape[1:-1]) >= TAPS:
            of_pictures["ssim"] = ssim(output, content)
        output, content, degraded = (part - MID_GREY for part in (output, content, degraded))
    gains = component_gains(output, content, degraded)
    return {
        **of_pictures,
        "e_r": on,
        "e_b": off,
        "nmse": nmse(output, content),
        "relative_error": relative_error(output, content, degraded),
        "content_gain": gains.content,
        "degradation_gain": gains.degradation,
        "unexplained": gains.unexplained,
    }
