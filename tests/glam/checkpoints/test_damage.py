"""Bits that flip, disks that fill, processes that die, files that mean harm: none is loaded."""

import os
import pickle
import resource
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING

from energy.errors import InputError
from glam.checkpoints.checkpoint import checkpoints, latest_checkpoint, load_checkpoint
from glam.checkpoints.folder import load_tensors
from tests.glam.checkpoints.test_checkpoint import configuration, save, trained


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    config = configuration()
    return save(tmp_path_factory.mktemp("valid"), 3, config, *trained(config))


def damaged_copy(valid, folder, share, change):
    """Copy a checkpoint, of which one file is changed at a share of all bytes."""
    shutil.copytree(valid, folder / valid.name, dirs_exist_ok=True)
    files = sorted(valid.iterdir())
    place = int(share * sum(path.stat().st_size for path in files))
    for path in files:
        if place < path.stat().st_size:
            (folder / valid.name / path.name).write_bytes(change(path.read_bytes(), place))
            return folder / valid.name, path.name
        place -= path.stat().st_size
    raise AssertionError("a share below 1")


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_detected_wherever_it_is(valid, tmp_path_factory, share, bit):
    def flip(content, place):
        return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]

    path, name = damaged_copy(valid, tmp_path_factory.getbasetemp(), share, flip)
    with pytest.raises(InputError, match="expected" if name == "checkpoint.json" else name):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [n / 20 for n in range(20)])
def test_a_flipped_bit_of_the_manifest_is_detected_too(valid, tmp_path, share):
    shutil.copytree(valid, tmp_path / valid.name)
    manifest = tmp_path / valid.name / "checkpoint.json"
    content = bytearray(manifest.read_bytes())
    content[int(share * len(content))] ^= 1
    manifest.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.json|glam-checkpoint-4"):
        load_checkpoint(tmp_path / valid.name)


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_truncated_anywhere_is_refused(valid, tmp_path_factory, share):
    folder = tmp_path_factory.getbasetemp()
    path, _ = damaged_copy(valid, folder, share, lambda content, place: content[:place])
    with pytest.raises(InputError, match="expected a valid checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["checkpoint.json", ".metadata", "__0_0.distcp"])
def test_a_missing_file_is_named_or_the_manifest_is(valid, tmp_path, name):
    shutil.copytree(valid, tmp_path / valid.name)
    (tmp_path / valid.name / name).unlink()
    words = "no such file" if name == "checkpoint.json" else name
    with pytest.raises(InputError, match=words):
        load_checkpoint(tmp_path / valid.name)


def test_a_full_disk_leaves_the_last_good_checkpoint_and_nothing_else(tmp_path):
    config = configuration()
    pair = trained(config)
    good = save(tmp_path, 3, config, *pair)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"expected to write .*step-00000004"):
            save(tmp_path, 4, config, *pair)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [good]
    assert latest_checkpoint(tmp_path).step == 3


def test_what_a_killed_process_leaves_is_no_checkpoint_and_goes_with_the_next(tmp_path):
    config = configuration()
    pair = trained(config)
    good = save(tmp_path, 3, config, *pair)
    shutil.copytree(good, tmp_path / "step-00000004.partial")
    shutil.copytree(good, tmp_path / "step-00000001.old")
    assert checkpoints(tmp_path) == [good]
    next_one = save(tmp_path, 5, config, *pair)
    assert sorted(tmp_path.iterdir()) == [good, next_one]


def test_a_step_that_is_written_again_replaces_a_damaged_one_and_the_file_of_it(tmp_path):
    config = configuration()
    pair = trained(config)
    path = save(tmp_path, 3, config, *pair)
    (path / "__0_0.distcp").write_bytes(b"damaged")
    path.with_suffix(".safetensors").write_bytes(b"damaged too")
    assert save(tmp_path, 3, config, *pair) == path
    assert list(tmp_path.iterdir()) == [path]
    assert load_checkpoint(path).step == 3


class Harm:
    """Calls something when it is unpickled."""

    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ((os.mkdir, "harm"), "mkdir, which describes no tensor"),
        ((getattr, Path, "cwd"), "expected a valid checkpoint"),
        # So Python 3.11.2 writes what is no harm: a member of a class of torch.
        ((getattr, _MEM_FORMAT_ENCODING, "TORCH_PRESERVE_FORMAT"), "with a _mem_format_encoding"),
    ],
)
def test_nothing_that_a_checkpoint_names_is_run(valid, tmp_path, monkeypatch, call, message):
    """The metadata of torch.distributed.checkpoint are a pickle, which could call anything."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(valid, tmp_path / valid.name)
    (tmp_path / valid.name / ".metadata").write_bytes(pickle.dumps(Harm(*call)))
    with pytest.raises(InputError, match=message):
        load_tensors(tmp_path / valid.name)
    assert not (tmp_path / "harm").exists()


def test_the_name_that_a_file_had_leads_to_the_folder_of_today(valid):
    with pytest.raises(InputError, match=f"no such file; name {valid}"):
        load_checkpoint(f"{valid}.safetensors")
