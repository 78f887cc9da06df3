"""The tab that damages a clean photo in four ways and restores each."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from facerecon.ui.engine import Engine, Step
from facerecon.ui.errors import alert
from facerecon.ui.lab_work import DAMAGES, FIRST_FOUR, Trial, try_damages
from facerecon.ui.limits import AT_ONCE
from facerecon.ui.photo_input import photo_input
from facerecon.ui.photo_work import FIDELITY, open_upload
from facerecon.ui.statistics import progress_bar
from facerecon.ui.style import RESULT_ROOM, scroll_to

GO, BUSY = "Damage and restore", "Working…"
INTRODUCTION = "Take one clean portrait, damage it in four ways, and see how much of it comes back."


class LabTab:
    """Lays the tab out in the surrounding ``gr.Blocks`` and wires it."""

    def __init__(self, engine: Engine, examples: list[Path]) -> None:
        self.engine = engine
        clean = [path for path in examples if "_" not in path.stem]
        self.kinds: list[gr.Dropdown] = []
        self.values: list[gr.Slider] = []
        self.sliders: list[gr.ImageSlider] = []
        self.figures: list[gr.HTML] = []
        gr.HTML(f'<p class="fr-lead">{INTRODUCTION}</p>', padding=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=280):
                self.photo = photo_input("A clean photo", "lab-photo", 260, str(clean[0]) if clean else None)
                if clean:
                    gr.Examples([[str(path)] for path in clean], [self.photo], label="Or try one of these")
                self.fidelity = gr.Slider(0, 1, FIDELITY, step=0.05, label="Fidelity", info="0 invents most, 1 keeps closest")
                self.go = gr.Button(GO, variant="primary", size="lg", elem_id="lab-go")
                self.message = gr.HTML("", padding=False, elem_classes="fr-maybe")
            with gr.Column(scale=9, min_width=300), gr.Row(elem_classes="fr-ways"):
                for number, name in enumerate(FIRST_FOUR):
                    self._way(number, name)
        self._wire()

    def _way(self, number: int, name: str) -> None:
        damage = DAMAGES[name]
        with gr.Column(min_width=330, elem_classes="fr-way"):
            with gr.Row():
                self.kinds.append(gr.Dropdown(list(DAMAGES), value=name, label=f"Damage {number + 1}", min_width=130))
                self.values.append(
                    gr.Slider(damage.low, damage.high, damage.start, step=damage.step, label=damage.setting, min_width=150)
                )
            self.sliders.append(
                gr.ImageSlider(
                    label=f"Damaged {number + 1} and restored", format="png", interactive=False, height=340,
                    max_height=340, elem_id=f"lab-slider-{number}", elem_classes="fr-slider", buttons=["fullscreen"],
                )  # fmt: skip
            )
            self.figures.append(gr.HTML("", padding=False, elem_classes="fr-maybe"))

    def _wire(self) -> None:
        for kind, value in zip(self.kinds, self.values):
            kind.input(_slider_of, kind, value, show_progress="hidden", api_visibility="private")
        settings = [each for pair in zip(self.kinds, self.values) for each in pair]
        shown = [self.go, self.message, *self.sliders, *self.figures]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.go.click(None, None, None, js=scroll_to("#lab-go", RESULT_ROOM), **quiet)  # first, as it must not wait for the run
        run = self.go.click(
            self._run, [self.photo, self.fidelity, *settings], shown, concurrency_id="networks",
            concurrency_limit=AT_ONCE, **quiet,
        )  # fmt: skip
        self.photo.change(self._empty, None, shown, queue=False, cancels=run, **quiet)

    def _empty(self) -> dict[Any, Any]:
        """Nothing of the photo before."""
        return {
            self.go: gr.Button(GO, interactive=True),
            self.message: "",
            **dict.fromkeys(self.sliders, None),
            **dict.fromkeys(self.figures, ""),
        }

    def _run(self, path: str | None, fidelity: float, *settings: Any) -> Iterator[dict[Any, Any]]:
        """Shows how far it is, and each pair of pictures when it is there."""
        wanted, done = list(zip(settings[::2], settings[1::2])), 0
        yield {self.go: gr.Button(BUSY, interactive=False), self.message: progress_bar("Looking for the face", 0.0)}
        ready = {self.go: gr.Button(GO, interactive=True)}
        try:
            for news in try_damages(self.engine, open_upload(path)[0], wanted, fidelity):
                if isinstance(news, Step):
                    yield {self.message: progress_bar(f"Damaging and restoring: {news.name}", news.share)}
                else:
                    yield {self.sliders[done]: (news.degraded, news.restored), self.figures[done]: _figures(news)}
                    done += 1
            yield {**ready, self.message: ""}
        except Exception as error:
            yield {**ready, self.message: alert(error)}


def _slider_of(name: str) -> gr.Slider:
    damage = DAMAGES[name]
    return gr.Slider(
        minimum=damage.low, maximum=damage.high, value=damage.start, step=damage.step, label=damage.setting
    )


def _figures(trial: Trial) -> str:
    gain = trial.psnr[1] - trial.psnr[0]
    return (
        f'<p class="fr-gain" role="status" data-better="{str(gain > 0).lower()}">{html.escape(trial.name)}: '
        f"<b>{gain:+.1f} dB</b> (PSNR {trial.psnr[0]:.1f} to {trial.psnr[1]:.1f} dB, "
        f"SSIM {trial.ssim[0]:.2f} to {trial.ssim[1]:.2f})</p>"
    )
