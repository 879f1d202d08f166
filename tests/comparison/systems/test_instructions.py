from pathlib import Path

from tests.comparison.systems.instructions import list_options, read_flags


def test_only_the_instruction_sets_that_the_kernel_lists_are_built() -> None:
    options = list_options({"avx", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"}).split()
    assert {"-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_AVX512=ON"} <= set(options)
    assert {"-DGGML_AMX_TILE=OFF", "-DGGML_AVX512_VNNI=OFF", "-DGGML_FMA=OFF"} <= set(options)


def test_vbmi_is_found_by_the_kernels_name_without_an_underscore() -> None:
    assert "-DGGML_AVX512_VBMI=ON" in list_options({"avx512vbmi"}).split()


def test_a_part_of_avx_512_is_not_avx_512() -> None:
    assert "-DGGML_AVX512=OFF" in list_options({"avx", "avx512f"}).split()


def test_without_flags_ggml_chooses(tmp_path: Path) -> None:
    assert read_flags(tmp_path / "none") == set()
    assert "NATIVE" not in list_options(set())


def test_the_flags_are_read(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: X\nflags\t\t: fpu avx avx2\n\nflags\t\t: fpu\n")
    assert read_flags(cpuinfo) == {"fpu", "avx", "avx2"}
