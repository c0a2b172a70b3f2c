import contextlib
import ctypes
import functools
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Two devices, as the driver gives itself on two cores: what is sharded must be tested sharded.
if "XLA_FLAGS" not in os.environ:
    devices_of_two_cores = "--xla_force_host_platform_device_count=2"
    quicker = f"{devices_of_two_cores} --xla_cpu_use_fusion_emitters=false"  # to compile
    start = [sys.executable, "-c", "import jax; jax.devices()"]
    # A version of XLA that does not know an option ends the process.
    known = subprocess.run(start, env=os.environ | {"XLA_FLAGS": quicker}, capture_output=True)
    os.environ["XLA_FLAGS"] = devices_of_two_cores if known.returncode else quicker
# Small decompositions wait for ever on a BLAS whose threads find no core to run on.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# So do PyTorch's small layers: .16 s a step on two threads where both cores are busy, .0003 on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Most of a test's time is XLA compiling: less of it (`optimised` gives the optimisations back), and
# each program once for all workers and for the processes that tests start.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    programs = tempfile.TemporaryDirectory(prefix="shortcut1d-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import reproduce
from filelock import FileLock
from hypothesis import settings

from shortcut1d.datasets import VARIABLE
from shortcut1d.harness import devices, driver
from shortcut1d.training import grid

os.environ["XLA_FLAGS"] = devices.without_deadlock(os.environ["XLA_FLAGS"], jax.__version__)

# Compilation makes first examples slow; the same examples every time make a red run mean something.
settings.register_profile("shortcut1d", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("shortcut1d")

MAX_MEMORY = 2**30  # bytes that a test process may hold before it forgets its programs
MORE = 2**28  # bytes beyond what is left then
LABORIOUS = ("remedies",)  # more computing in it than compiling
OTHERS = "published_networks"  # it needs PyTorch, and networks and pictures of others
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def memory():
    """Bytes that this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def forget_programs():
    """Drop compiled programs, and give their memory back to the system."""
    grid.over_cells.cache_clear()
    jax.clear_caches()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


limit = MAX_MEMORY


@pytest.fixture(autouse=True)
def little_memory():
    global limit
    yield
    if memory() > limit:
        forget_programs()
        # Libraries stay, PyTorch above all: to forget after each test what was just compiled would
        # take a third of the time of all tests.
        limit = max(MAX_MEMORY, memory() + MORE)


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def env():
    """The environment of a user's process: without what the tests ask of XLA, or a network."""
    ours = ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return {name: value for name, value in os.environ.items() if name not in ours} | nowhere


@contextlib.contextmanager
def as_users_have_it():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def optimised():
    """XLA as users have it, for a test whose time goes into training rather than compiling."""
    with as_users_have_it():
        yield


@pytest.fixture(scope="session")
def module():
    """A script as a module, by its name."""
    return lambda name: sys.modules[reproduce.load(name).run.__module__]


@pytest.fixture(scope="session")
def experiment():
    """The experiment of a script, by its name."""
    return reproduce.load


@pytest.fixture(scope="session")
def command(experiment):
    """Run a script's command line in this process: exit status, standard output, standard error."""

    def run(name, *arguments):
        out, err = io.StringIO(), io.StringIO()
        xla = as_users_have_it() if name in LABORIOUS else contextlib.nullcontext()
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv(VARIABLE, os.environ.get(VARIABLE, ""))  # which --data sets
            stack.enter_context(xla)
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(err))
            try:
                status = driver.main(experiment(name), [str(a) for a in arguments])
            except SystemExit as leaving:
                status = leaving.code
        return status, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="session")
def smoke(tmp_path_factory, command):
    """A script's run at its smallest preset, once for all workers: folder and output."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @functools.cache
    def made(name):
        folder, data = shared / f"smoke_{name}", []
        if name == OTHERS:
            pytest.importorskip("torch")
            if not DATA.is_dir():
                pytest.skip(f"{DATA} is not there")
            data = ["--data", DATA]
        said = folder / "said.json"
        with FileLock(shared / f"smoke_{name}.lock"):
            if not said.is_file():
                arguments = ["--preset", "smoke", "--out", folder, *data]
                folder.mkdir()
                said.write_text(json.dumps(command(name, *arguments)))
        status, printed, complaints = json.loads(said.read_text())
        # A study on pictures says which photographs it has; that is no complaint.
        left = [line for line in complaints.splitlines() if not line.startswith("photographs: ")]
        assert (status, left) == (0, [])
        return folder, printed

    return made


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, driven by Playwright; its microphone beeps."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", *microphone]
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Open an address; whatever goes wrong in the page fails the test at its end."""
    troubles, contexts = [], []

    def of(address, width=1200, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: troubles.append(said.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.goto(address)
        return page

    yield of
    for context in contexts:
        context.close()
    assert troubles == []
