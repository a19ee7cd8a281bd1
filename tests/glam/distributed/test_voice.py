"""An error of any process is said once, by the first; what differs between processes is named."""

import threading

import pytest
import torch.distributed as dist

from energy.errors import AccountingError, InfeasibleError, InputError
from glam.config import GlamConfig, differences
from glam.distributed import voice
from glam.distributed.meeting import require_alike
from glam.distributed.shared_folder import is_seen, sign_in
from glam.distributed.voice import Voice, after_the_first

ERROR = InputError("expected text at a.txt", "no such file", "name another")


def failing(rank, store):
    with Voice(rank, store).sharing():
        raise ERROR


def test_the_first_process_says_the_error_of_another_which_ends_without_a_word():
    store, heard = dist.HashStore(), []

    def first():
        own = Voice(0, store)
        try:
            with own.sharing():
                while True:
                    own.listen()
        except AccountingError as error:
            heard.append(error)

    listening = threading.Thread(target=first)
    listening.start()
    with pytest.raises(SystemExit) as ending:
        failing(3, store)
    listening.join()
    (error,) = heard
    assert ending.value.code == error.exit_code == 2
    assert str(error) == "rank 3: expected text at a.txt; got no such file; name another"


def test_an_error_that_the_first_does_not_hear_is_said_by_the_process_that_has_it(monkeypatch):
    monkeypatch.setattr(voice, "HEARING_S", 0.1)
    with pytest.raises(AccountingError, match="rank 1: expected text") as error:
        failing(1, dist.HashStore())
    assert error.value.exit_code == 2


def test_an_error_that_all_have_is_said_by_the_first_alone():
    store = dist.HashStore()
    with pytest.raises(InputError, match=r"^expected text"):
        failing(0, store)
    with pytest.raises(SystemExit):
        failing(1, store)
    with pytest.raises(SystemExit):
        Voice(2, store).listen()


def test_an_error_with_a_speaker_is_not_passed_on():
    store = dist.HashStore()
    own = Voice(1, store)
    with pytest.raises(InfeasibleError), own.sharing():
        own.say_once(InfeasibleError("expected an answer"), speaker=1)
    assert not store.check([voice.FAILED])


def test_who_ends_without_a_word_waits_for_the_first_to_end(monkeypatch):
    waits = []
    monkeypatch.setattr(voice.time, "sleep", waits.append)
    for rank, code in ((0, 2), (1, 0), (1, 2)):
        with pytest.raises(SystemExit), after_the_first(rank):
            raise SystemExit(code)
    assert waits == [voice.LINGER_S]


def test_settings_that_differ_are_named_with_their_process():
    config = GlamConfig.of("glam-mini")
    ours, theirs = (config.with_training(seed=seed).as_dict() for seed in (1, 2))
    assert differences(ours, theirs) == [("training.seed", 1, 2)]
    require_alike(0, [ours, ours, ours])
    with pytest.raises(InputError, match=r"on rank 2 training\.seed = 2 \(rank 0: 1\)"):
        require_alike(0, [ours, ours, theirs])
    with pytest.raises(SystemExit):
        require_alike(1, [ours, ours, theirs])


def test_a_folder_is_shared_where_its_nearest_folder_that_exists_is(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "runs").mkdir(parents=True)
    with sign_in(tmp_path / "here" / "runs" / "new") as sign:
        assert is_seen(tmp_path / "here" / "runs" / "new", sign)
        assert not is_seen(tmp_path / "there" / "runs" / "new", sign)
    assert not list((tmp_path / "here").iterdir())
