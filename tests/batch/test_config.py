from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from batch.config import load_config
from batch.options import RunOptions, choices, grouped


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()

    @app.callback()
    def main() -> None:
        """Makes ``show`` a command of its own."""

    def show(
        input: str, options: RunOptions, fidelity: float = 0.7, save_comparison: bool = False, formats: str = "glb",
        restored: bool = True,
    ) -> None:  # fmt: skip
        print(input, fidelity, save_comparison, formats, options.quiet, *([] if restored else ["as it was"]))

    app.command("show")(grouped(show))
    return app


def said(app: typer.Typer, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["show", *arguments])
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def test_any_option_comes_from_the_file_and_the_command_line_wins(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("input: photos\nfidelity: 0.25\nsave-comparison: yes\nformats: [glb, obj]\nquiet: true\n")
    assert said(app, "--config", str(file)) == (0, "photos 0.25 True glb,obj True")
    assert said(app, "other", "--config", str(file), "--fidelity", "1") == (0, "other 1.0 True glb,obj True")


def test_an_option_may_be_set_by_its_opposite(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("no-restored: true")
    assert said(app, "x", "--config", str(file)) == (0, "x 0.7 False glb False as it was")
    file.write_text("restored: no")
    assert said(app, "x", "--config", str(file)) == (0, "x 0.7 False glb False as it was")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("no-restored: 3", "must be yes or no"),
        ("fidelity: yes", "must not be yes or no"),
        ("formats: no", "must not be yes or no"),
        ("fidelty: 1", "'fidelty', which is no option"),
        ("config: other.yaml", "'config', which is no option"),
        ("- fidelity", "option: value"),
        ("fidelity: {a: 1}", "must be a text, a number"),
        ("fidelity: !!python/object/apply:os.system ['touch pwned']", "not plain YAML"),
        ("fidelity: [1", "not plain YAML"),
        ("1: 2", "is no option"),
    ],
)
def test_bad_files_are_explained(app: typer.Typer, tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    code, output = said(app, "x", "--config", str(file))
    assert code == 2 and sentence in output and not (tmp_path / "pwned").exists() and not Path("pwned").exists()


def test_a_value_of_the_wrong_kind_is_a_wrong_option(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("fidelity: much")
    code, output = said(app, "x", "--config", str(file))
    assert code == 2 and "fidelity" in output and "number" in output


def test_references_to_references_do_not_grow(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    with pytest.raises(typer.BadParameter, match="must be a text"):
        load_config(tmp_path / "c.yaml")


WORDS = st.sampled_from(
    ["fidelity", ": ", "\n", "- ", "!!python/object:os.system ", "&a ", "*a", "{", "}", "[", "]", "'", '"', "0x1F", "~", "|\n ", "? ", "#"]
)


@settings(max_examples=int(os.environ.get("FACERECON_FUZZ", "60")), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=300), st.lists(WORDS | st.text(max_size=5), max_size=25).map(lambda w: "".join(w).encode("utf-8", "surrogatepass"))))
def test_no_file_does_more_than_be_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(raw)
    try:
        values = load_config(tmp_path / "c.yaml")
    except typer.BadParameter as error:
        assert str(error).endswith(".") and "\n" not in str(error)
    else:
        assert all(isinstance(v, (str, int, float, bool)) for v in values.values())


def test_choices_keep_the_known_order() -> None:
    assert choices(" obj, GLB ,none", ("glb", "obj"), "--formats") == ("glb", "obj")
