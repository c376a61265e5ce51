"""Another machine, as far as one can play it: other instructions of its processor, in the C library and numpy."""

from pathlib import Path

import pytest

from tests.simulation.test_desk import digest_in_a_process

SEED = 7
MACHINES = {
    "without fused multiply-add in the C library": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"},
    "without wide registers in numpy": {"NPY_DISABLE_CPU_FEATURES": "AVX2,FMA3"},
}


@pytest.fixture(scope="module")
def digest_here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of a run as this machine is."""
    return digest_in_a_process(tmp_path_factory.mktemp("here"), SEED, 1)


@pytest.mark.parametrize("variables", MACHINES.values(), ids=MACHINES)
def test_run_is_the_same_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digest_here: str, variables: dict[str, str]
) -> None:
    """Guards the digest against the last bit of `exp` and `log`, which every C library rounds as it pleases."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert digest_in_a_process(tmp_path, SEED, 1) == digest_here
