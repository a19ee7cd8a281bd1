"""What torch would convert or pass over in a sharded checkpoint is refused by name."""

import warnings

import pytest
import torch

from energy.errors import InputError
from glam.checkpoints.folder import load_into, load_tensors


@pytest.fixture
def folder(tmp_path):
    from torch.distributed.checkpoint.filesystem import FileSystemWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {"model.a": torch.arange(4.0), "model.b": torch.ones(2, 3)}
        save(tensors, storage_writer=FileSystemWriter(tmp_path / "step"), no_dist=True)
    return tmp_path / "step"


def test_tensors_come_back_whole(folder):
    tensors = load_tensors(folder)
    assert tensors["model.a"].tolist() == [0, 1, 2, 3]
    assert tensors["model.b"].shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.a": torch.zeros(4, dtype=torch.bfloat16)}, "model.a of .4,. bfloat16"),
        ({"model.b": None}, "model.b of no shape, as the model has none"),
        ({"model.b": torch.zeros(3, 2)}, "model.b of .3, 2. float32.*got .2, 3. float32"),
        ({"model.c": torch.zeros(1)}, "model.c of .1,. float32.*got none"),
    ],
)
def test_another_format_name_or_shape_is_refused_and_nothing_is_read(folder, changes, message):
    wanted = {"model.a": torch.zeros(4), "model.b": torch.zeros(2, 3), **changes}
    wanted = {name: tensor for name, tensor in wanted.items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        load_into(folder, wanted)
    assert all(not tensor.any() for tensor in wanted.values())
