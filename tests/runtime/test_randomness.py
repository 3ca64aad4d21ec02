import random

import numpy as np
import pytest
import torch

from landscape.runtime import randomness


def draws():
    return random.random(), np.random.rand(), np.random.randn(), torch.rand(()).item()  # noqa: NPY002


def test_preserved_puts_every_generator_back():
    with randomness.seeded(1):
        np.random.randn()  # noqa: NPY002 -- leaves a second normal draw waiting
        with randomness.preserved():
            first = draws()
        assert draws() == first


def test_preserved_puts_them_back_after_an_error():
    state = torch.get_rng_state()

    def fail():
        with randomness.preserved():
            draws()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)


def test_seeded_depends_on_the_key_alone():
    def seeded(*key):
        with randomness.seeded(*key):
            return draws()

    before = torch.get_rng_state()
    assert seeded(1, 2) == seeded(1, 2)
    for a, b in zip(seeded(1, 2), seeded(2, 1), strict=True):
        assert a != b
    assert torch.equal(torch.get_rng_state(), before)


def test_generators_of_other_keys_are_independent():
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    first = {tuple(torch.rand(4, generator=randomness.generator(*key)).tolist()) for key in keys}
    assert len({randomness.derive(*key) for key in keys}) == len(first) == len(keys)
    before = torch.get_rng_state()
    randomness.generator(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_captured_state_survives_a_file(tmp_path):
    with randomness.preserved():
        randomness.seed_everything(3)
        np.random.randn()  # noqa: NPY002
        torch.save(randomness.capture(), tmp_path / "state.pt")
        expected = draws()
        randomness.restore(torch.load(tmp_path / "state.pt", weights_only=True))
        assert draws() == expected


def test_a_state_of_a_machine_with_other_devices_is_restored_as_far_as_it_goes():
    with randomness.preserved():
        state = randomness.capture()
        expected = draws()
        elsewhere = [torch.zeros(16, dtype=torch.uint8)] * (torch.cuda.device_count() + 1)
        if torch.cuda.is_available():
            elsewhere[: torch.cuda.device_count()] = torch.cuda.get_rng_state_all()
        randomness.restore(state | {"cuda": elsewhere})
        assert draws() == expected
