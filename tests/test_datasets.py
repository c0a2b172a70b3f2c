"""Public data sets: downloaded from a server, checked on disk. The server here is a small one."""

import contextlib
import hashlib
import http.server
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pooch
import pytest

from shortcut1d import cli, datasets
from shortcut1d.errors import InvalidInput

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
REAL = datasets._read(datasets.REGISTRY)
DOTS = [f"dots/{number}.png" for number in range(6)]
NETS = ["weights/nets/LICENSE", "weights/nets/small/a.pt", "weights/nets/large/a.pt"]
CONTENT = {path: f"content of {path}".encode() * 50 for path in DOTS + NETS}


def blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves the files, and remembers what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = {f"/them/theirs/{'c' * 40}/from/{path}": CONTENT[path] for path in CONTENT}
        self.asked = []
        self.works_for = 10**6  # requests
        self.on_request = lambda number: None
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path.rpartition("/from/")[2])
        number = len(self.server.asked)
        self.server.on_request(number)
        content = self.server.files.get(self.path)
        status = 503 if number > self.server.works_for else 404 if content is None else 200
        body = content if status == 200 else b"an error page"
        with contextlib.suppress(OSError):  # who asked may be gone
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def registry(tmp_path_factory, monkeypatch):
    """A registry of two small data sets; a cache of its own, and no retries, which wait."""
    about = {"what": "a test", "repository": "them/theirs", "commit": "c" * 40, "path": "from"}
    record = {}
    for name, folder in (("dots", "dots"), ("nets", "weights/nets")):
        files = {
            path.removeprefix(f"{folder}/"): [blob(content), len(content), f"from/{path}"]
            for path, content in CONTENT.items()
            if path.startswith(folder)
        }
        record[name] = about | {"folder": folder, "terms": f"{name} are free", "files": files}
    path = tmp_path_factory.mktemp("registry") / "registry.json"
    path.write_text(json.dumps(record))
    monkeypatch.setattr(datasets, "REGISTRY", path)
    monkeypatch.setattr(datasets, "RETRIES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    return path


@pytest.fixture
def copy(tmp_path):
    """A complete copy of both sets."""
    for path, content in CONTENT.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


@pytest.fixture
def run(server, monkeypatch):
    """`shortcut1d data`, with our server: exit status, standard output, standard error."""
    monkeypatch.setattr(datasets, "SERVER", server.url)

    def of(*words):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(["data", *map(str, words)])
        return status, out.getvalue(), err.getvalue()

    return of


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def refusal(name, data=None):
    with pytest.raises(InvalidInput) as refused:
        datasets.folder_of(name, data)
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_what_was_downloaded_is_listed_as_complete(run, server, tmp_path):
    assert "dots                     6    0.0  not here" in run("list", "--data", tmp_path)[1]
    status, printed, complaints = run("get", "nets", "dots", "nets", "--to", tmp_path)
    assert (status, complaints) == (0, "")
    assert f"dots: complete, in {tmp_path / 'dots'} (terms: dots are free)" in printed
    assert files_in(tmp_path) == sorted(CONTENT)
    assert sorted(server.asked) == sorted(CONTENT)  # each once
    assert all((tmp_path / path).read_bytes() == CONTENT[path] for path in CONTENT)
    assert (tmp_path / DOTS[0]).stat().st_mode & 0o777 == 0o644  # for others to read
    assert datasets.folder_of("nets", tmp_path) == tmp_path / "weights" / "nets"
    status, printed, _ = run("list", "--data", tmp_path)
    assert status == 0
    assert printed.count("  complete\n") == 2
    for part in ("a test", "https://github.com/them/theirs/tree/ccccccc/from", "dots are free"):
        assert part in printed


def test_on_a_terminal_there_is_a_bar(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # so that rich takes anything for a terminal
    status, _, drawn = run("get", "dots", "--to", tmp_path)
    assert status == 0
    assert "6/6 files" in drawn


def test_what_was_downloaded_is_a_document_too(run, tmp_path):
    assert run("get", "dots", "--to", tmp_path / "quiet", "--quiet") == (0, "", "")
    assert files_in(tmp_path / "quiet") == sorted(DOTS)
    status, printed, _ = run("get", "dots", "nets", "--to", tmp_path, "--json")
    assert status == 0
    dots, nets = json.loads(printed)["data_sets"]
    assert dots["folder"] == str(tmp_path / "dots")
    assert (dots["files"], dots["state"], nets["terms"]) == (6, "complete", "nets are free")


def test_what_is_right_is_not_downloaded_again(run, server, copy):
    assert run("get", "all", "--to", copy)[0] == 0
    assert server.asked == []


def test_a_damaged_file_is_named_and_downloaded_again(run, server, copy):
    for path in DOTS[2:4]:
        (copy / path).write_bytes(CONTENT[path][:-1] + b"?")
    assert f"in {copy}, dots/2.png is damaged (and 1 more); " in refusal("dots", copy)
    assert "dots/2.png is damaged (and 1 more)" in run("list", "--data", copy)[1]
    assert run("get", "dots", "--to", copy)[0] == 0
    assert sorted(server.asked) == DOTS[2:4]
    assert datasets.folder_of("dots", copy) == copy / "dots"


def test_a_missing_file_is_named_with_the_command_that_gets_it(copy):
    (copy / NETS[1]).unlink()
    said = refusal("nets", copy)
    assert "weights/nets/small/a.pt is missing; " in said
    assert said.endswith(f"shortcut1d data get nets --to {copy}")
    assert datasets.is_here("nets", copy)
    assert datasets.folder_of("dots", copy)


def test_a_file_of_no_data_set_is_named_and_stays(run, server, copy):
    for name in ("more.png", ".DS_Store"):
        (copy / "dots" / name).write_bytes(b"mine")
    assert "dots/more.png is not one of its files; move it away" in refusal("dots", copy)
    status, _, said = run("get", "dots", "--to", copy)
    assert (status, server.asked) == (2, [])
    assert "dots/more.png" in said
    assert (copy / "dots" / "more.png").read_bytes() == b"mine"


def test_wrong_content_is_refused_and_not_kept(run, server, tmp_path):
    server.files = dict.fromkeys(server.files, b"an advertisement")
    status, printed, said = run("get", "dots", "--to", tmp_path)
    assert (status, printed, said.count("\n")) == (2, "", 1)
    assert re.search(r"http://\S+/from/dots/\d.png: what was sent is not dots/\d.png", said)
    assert files_in(tmp_path) == []


def test_after_a_failure_only_what_is_missing_is_downloaded(run, server, tmp_path):
    server.works_for = 3
    status, _, said = run("get", "dots", "--to", tmp_path)
    assert (status, said.count("\n")) == (2, 1)
    assert "cannot be downloaded (503 Service Unavailable)" in said
    kept = files_in(tmp_path)
    assert len(kept) == 3
    server.asked, server.works_for = [], 10**6
    assert run("get", "dots", "--to", tmp_path)[0] == 0
    assert sorted(server.asked) == [path for path in DOTS if path not in kept]


def test_a_killed_download_leaves_nothing_that_counts_as_there(server, registry, tmp_path):
    waiting, go_on = threading.Event(), threading.Event()

    def block(number):
        if number > 2:
            waiting.set()
            go_on.wait(30)

    server.on_request = block
    code = (
        "import sys; from pathlib import Path; from shortcut1d import datasets;"
        "datasets.REGISTRY = Path(sys.argv[1]);"
        "datasets.fetch(['dots'], sys.argv[2], base_url=sys.argv[3])"
    )
    words = [sys.executable, "-c", code, str(registry), str(tmp_path), server.url]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as killed:
        assert waiting.wait(30)
        killed.kill()
    go_on.set()
    there = [path for path in DOTS if (tmp_path / path).exists()]
    assert len(there) <= 2
    assert all((tmp_path / path).read_bytes() == CONTENT[path] for path in there)
    server.asked, server.on_request = [], lambda number: None
    datasets.fetch(["dots"], tmp_path, base_url=server.url)
    assert sorted(server.asked) == [path for path in DOTS if path not in there]


def test_ctrl_c_is_one_line_and_the_same_command_goes_on(run, server, tmp_path):
    go_on = threading.Event()

    def press(number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        if number > 2:
            go_on.wait(30)

    server.on_request = press
    status, printed, said = run("get", "dots", "--to", tmp_path)
    server.on_request = lambda number: None
    go_on.set()
    assert (status, printed, said.count("\n")) == (130, "", 1)
    assert "interrupted; the same command goes on" in said
    assert run("get", "dots", "--to", tmp_path)[0] == 0


def test_a_server_that_fails_once_is_asked_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "RETRIES", 1)
    right = dict(server.files)
    server.files = dict.fromkeys(right, b"too busy")
    server.on_request = lambda number: setattr(server, "files", right) if number > 3 else None
    counted = []
    datasets.fetch(["nets"], tmp_path, lambda *done: counted.append(done), base_url=server.url)
    assert len(server.asked) == 6
    assert counted == [(number, 3) for number in range(4)]


def test_a_server_that_is_not_there_is_one_line(run, server, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "SERVER", "http://127.0.0.1:1")
    status, _, said = run("get", "dots", "--to", tmp_path)
    assert (status, said.count("\n")) == (2, 1)
    assert re.search(r"http://127.0.0.1:1/them/\S+.png: cannot be downloaded \(Connection r", said)
    monkeypatch.setattr(datasets, "SERVER", f"{server.url}/elsewhere")
    assert "(404 Not Found)" in run("get", "dots", "--to", tmp_path)[2]


def test_data_sets_are_looked_for_where_the_user_says_or_else_in_the_cache(copy, monkeypatch):
    assert not datasets.is_here("dots")
    cache = pooch.os_cache("shortcut1d")
    assert refusal("dots") == f"dots: not in {cache}; to download it: shortcut1d data get dots"
    monkeypatch.setenv(datasets.VARIABLE, str(copy))
    assert datasets.folder_of("dots") == copy / "dots"
    assert refusal("dots", copy / "no such").endswith(f" --to '{copy / 'no such'}'")


def test_what_is_downloaded_goes_where_it_will_be_looked_for(run, tmp_path, monkeypatch):
    assert run("get", "dots")[0] == 0
    assert datasets.folder_of("dots") == pooch.os_cache("shortcut1d") / "dots"
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "new"))
    assert run("get", "dots")[0] == 0
    assert datasets.folder_of("dots") == tmp_path / "new" / "dots"


def test_an_unknown_name_is_refused_before_anything_is_downloaded(server, tmp_path):
    for use in (datasets.folder_of, datasets.is_here, datasets.state_of, datasets.dataset):
        with pytest.raises(InvalidInput, match=r"expected one of dots, nets \(did you mean 'dots'"):
            use("dot")
    with pytest.raises(InvalidInput, match="got 'dot'"):
        datasets.fetch(["nets", "dot"], tmp_path, base_url=server.url)
    assert server.asked == []


def test_a_file_that_is_in_the_way_is_one_line(server, copy):
    (copy / DOTS[0]).unlink()
    (copy / DOTS[0]).mkdir()
    with pytest.raises(InvalidInput, match=r"dots/0\.png: cannot be written"):
        datasets.fetch(["dots"], copy, base_url=server.url)


def test_the_registry_names_full_commits_and_every_file_once():
    assert set(REAL) == {"bsd400", "bsd68", "set12", "rain100h", "bias_free_denoising", "prenet"}
    files = [file for one in REAL.values() for file in one.files]
    assert len({file.path for file in files}) == len({file.source for file in files}) == 703
    for one in REAL.values():
        assert re.fullmatch("[0-9a-f]{40}", one.commit)
        for file in one.files:
            assert re.fullmatch("[0-9a-f]{40}", file.blob)
            assert file.path.startswith(f"{one.folder}/")
            assert file.source.startswith(f"{one.repository}/{one.commit}/")
            assert ".." not in file.path + file.source
    pairs = {file.path.rpartition("/")[2] for file in REAL["rain100h"].files}
    assert pairs == {f"{number}.png" for number in range(1, 101)}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no copy of the data at hand")
@pytest.mark.parametrize("name", REAL)
def test_a_copy_at_hand_has_every_file_of_the_registry(name, monkeypatch):
    monkeypatch.setattr(datasets, "REGISTRY", Path(datasets.__file__).with_name("registry.json"))
    assert datasets.folder_of(name, SHARED) == SHARED / REAL[name].folder
    assert datasets.DATASETS[name] == REAL[name]


def test_the_names_are_known_without_jax():
    code = "import sys; from shortcut1d import datasets as d; assert 'bsd400' in d.DATASETS;"
    subprocess.run([sys.executable, "-c", f"{code} assert 'jax' not in sys.modules"], check=True)
    with pytest.raises(AttributeError, match="DATASET"):
        _ = datasets.DATASET
