"""The panel Explore: one picture, sliders on its latent, pictures of one's own."""

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.app.states.dials import FARTHEST, HOTTEST
from studio.app.states.explore import Explore
from studio.app.states.window import Window
from studio.app.views.acts import Act
from studio.app.views.badge import BadgeView
from studio.app.views.bind import bind
from studio.app.views.controls import Button, Elided, Label, Segments, row
from studio.app.views.crop import CropView
from studio.app.views.dialogs import PICTURES, Dialogs
from studio.app.views.grid import grouped
from studio.app.views.latent_slider import LatentSlider
from studio.app.views.pages import Column, empty
from studio.app.views.panel import Panel
from studio.app.views.picture import PictureView
from studio.app.views.picture_page import PicturePage
from studio.app.views.seed_field import SeedField
from studio.app.views.theme import Look
from studio.wire.messages import Array

SAFE = (-2.0, 2.0)
"""Standard deviations within which most of the training data lies."""
LOUD = 8
"""Directions that are shown at once; the others move less and are folded away."""
_HELP = {"coarse": "large shapes", "middle": "medium shapes", "fine": "details"}
_CROPS = (("crop", "Crop"), ("fit", "Fit"), ("pad", "Pad"))


class ExploreStage(QStackedWidget):
    """How to begin, the picture with its badge, or the crop preview."""

    def __init__(self, look: Look, state: Window, dialogs: Dialogs) -> None:
        super().__init__()
        self._look, self._window, self._state, self._dialogs = look, state, state.explore, dialogs
        explore = self._state
        self.badge = BadgeView(look)
        self.page = PicturePage(look, "Picture", self.badge)
        self.crop = CropView(look)
        self.crop_words = Elided("", "soft", Qt.TextElideMode.ElideRight)
        self.addWidget(self._empty())
        self.addWidget(self.page)
        self.addWidget(self._crop_page())
        self.page.view.zoomed.connect(self.badge.show_scale)
        bind(self, explore.picture, self._show_picture)
        bind(self, explore.photo, self._show_photo, self.crop.cropped, partial(explore.set_crop, "crop"))
        bind(self, explore.badge, self._show_badge)
        bind(self, explore.sliders, self._show_badge)
        bind(self, explore.seed, self._show_badge)
        bind(self, state.status, self._show_status)

    def open(self) -> None:
        self._dialogs.open(PICTURES, self._state.open)

    def close_photo(self) -> bool:
        """Leave the crop preview; whether it was open."""
        if self._state.photo.get() is None:
            return False
        self._state.cancel_photo()
        return True

    def set_compact(self, compact: bool) -> None:
        self.badge.set_compact(compact)
        self.page.arrange()

    def _empty(self) -> QWidget:
        page = QWidget()
        title = Label("Drop a picture here, or begin from a seed.", "name", wrap=True)
        self._waits = Label("", "note", wrap=True)
        begin = Button(self._look, "New start", "primary", help="Begin from another seed", keys="R")
        own = Button(self._look, "Open a picture…", "", "folder", help=_OPEN_HELP, keys="Ctrl+O")
        begin.clicked.connect(lambda: self._state.new_start())
        own.clicked.connect(self.open)
        column = QVBoxLayout(page)
        column.setSpacing(16)
        column.addStretch(1)
        for label in (title, self._waits):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(label)
        column.addWidget(row(0, begin, own, 0, spacing=12))
        column.addStretch(1)
        return page

    def _crop_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 12)
        column.addWidget(self.crop, 1)
        column.addWidget(row(self.crop_words, margins=(24, 0, 24, 0)))
        return page

    def _show_status(self, status: str) -> None:
        late = status == "Starting"
        self._waits.setText("The engine is starting; the picture follows by itself." if late else "")
        self._waits.setVisible(late)

    def _show_picture(self, picture: Array | None) -> None:
        self.page.view.show_picture(picture)
        self.page.view.setAccessibleDescription(self.badge.accessibleName())
        self._turn()

    def _show_photo(self, photo: Any) -> None:
        self.crop.show_photo(photo)
        if photo is not None:
            height, width = photo.picture.array.shape[:2]
            notes = "".join(f" · {note}" for note in photo.picture.notes)
            self.crop_words.show_text(f"{photo.picture.name} · {width:,} × {height:,}{notes}")
        self._turn()

    def _turn(self) -> None:
        photo, picture = self._state.photo.get(), self._state.picture.get()
        before = self.currentIndex()
        self.setCurrentIndex(2 if photo is not None else 1 if picture is not None else 0)
        if self.currentIndex() == 2 and before != 2:
            self.crop.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_badge(self, _: object) -> None:
        moved = sum(abs(value) > 5e-4 for value in self._state.sliders.get())
        where = f"{moved} slider{'s' if moved > 1 else ''} moved" if moved else "every slider at home"
        self.badge.show_badge(self._state.badge.get(), f"Seed {grouped(self._state.seed.get())}, {where}")
        self.page.arrange()


class Directions(Column):
    """A slider for each direction, a temperature for each scale, and the start."""

    def __init__(self, look: Look, state: Explore, stage: ExploreStage) -> None:
        super().__init__(look)
        self._state = state
        self.sliders: list[LatentSlider] = []
        self.temperatures: list[LatentSlider] = []
        self._folded = True
        self.all_home = Button(look, "All home", "link", help="Put every slider back to the start", keys="H")
        self.fold = Button(look, "", "fold", "right", help="Directions that change the picture less")
        self.heat_home = Button(look, "", "link", help="Put the temperature back to where this model looks best")
        self.seed = SeedField(look, "New start", "Begin from another seed", "Seed ")
        self.open = Button(look, "Open a picture of mine…", "", "folder", help=_OPEN_HELP, keys="Ctrl+O")
        self._none = Label(
            "This model has no directions yet. Its start and temperature can be changed.", "note", wrap=True
        )
        self._slider_rows, self._heat_rows = QVBoxLayout(), QGridLayout()
        self._slider_rows.setSpacing(4)
        self._heat_rows.setHorizontalSpacing(9)
        self.rows.addWidget(_headed("Directions", self.all_home))
        self.add(self._none)
        self.rows.addLayout(self._slider_rows)
        self.add(self.fold)
        self.section()
        self.rows.addWidget(_headed("Temperature", self.heat_home))
        self.rows.addLayout(self._heat_rows)
        self.section("Start")
        self.add(self.seed, self.open)
        self.end()
        self.fold.clicked.connect(self._unfold)
        self.open.clicked.connect(stage.open)
        self.all_home.clicked.connect(state.home_all)
        self.heat_home.clicked.connect(state.home_temperatures)
        self.seed.rolled.connect(lambda: state.new_start())
        bind(self, state.names, self._show_names)
        bind(self, state.sliders, self._show_sliders)
        bind(self, state.scales, self._show_scales)
        bind(self, state.homes, self._show_homes)
        bind(self, state.temperatures, self._show_temperatures)
        bind(self, state.seed, self.seed.show_seed, self.seed.typed, state.new_start)
        bind(self, state.locked, self.seed.show_locked, self.seed.locked, state.lock)
        bind(self, state.error, self.seed.show_error)

    def _show_names(self, names: tuple[str, ...]) -> None:
        if len(names) != len(self.sliders):
            self._build_sliders(names)
        for slider, name in zip(self.sliders, names, strict=True):
            slider.show_name(name)

    def _build_sliders(self, names: tuple[str, ...]) -> None:
        empty(self._slider_rows)
        state, self.sliders = self._state, []
        for index, name in enumerate(names):
            slider = LatentSlider(
                self._look, name, -FARTHEST, FARTHEST, 0.0, SAFE, f"*, direction {index + 1} of {len(names)}",
                "Move along this direction of the model", may_rename=True,
            )  # fmt: skip
            slider.grabbed.connect(partial(state.begin_move, index))
            slider.moved.connect(partial(state.move, index))
            slider.let_go.connect(state.end_move)
            slider.homed.connect(partial(state.home, index))
            slider.renamed.connect(partial(state.rename, index))
            self._slider_rows.addWidget(slider)
            self.sliders.append(slider)
        self._none.setVisible(not names)
        self._show_fold()

    def _show_sliders(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.sliders, values, strict=False):
            slider.show_value(value)
        moved = [index for index, value in enumerate(values) if abs(value) > 5e-4]
        self.all_home.setEnabled(bool(moved))
        if self._folded and any(index >= LOUD for index in moved):
            self._unfold()

    def _unfold(self) -> None:
        self._folded = not self._folded
        self._show_fold()

    def _show_fold(self) -> None:
        quiet = len(self.sliders) - LOUD
        for slider in self.sliders[LOUD:]:
            slider.setVisible(not self._folded)
        self.fold.setVisible(quiet > 0)
        plural = "direction" if quiet == 1 else "directions"
        self.fold.say(f"{quiet} quieter {plural}" if self._folded else "Fewer directions")
        self.fold.draw("right" if self._folded else "down")

    def _show_scales(self, scales: tuple[str, ...]) -> None:
        empty(self._heat_rows)
        state, self.temperatures = self._state, []
        for index, scale in enumerate(scales):
            many = len(scales) > 1
            says = f"Temperature, {scale.lower()}" if many else "Temperature"
            what = _HELP.get(scale.lower(), "shapes of this scale")
            slider = LatentSlider(
                self._look, scale, 0.0, HOTTEST, 1.0, None, says, f"How far {what} stray from the typical"
            )
            slider.grabbed.connect(partial(state.begin_temperature, index))
            slider.moved.connect(partial(state.set_temperature, index))
            slider.let_go.connect(state.end_move)
            slider.homed.connect(partial(self._home, index))
            slider.set_narrow(many)
            self._heat_rows.addWidget(slider, index // 3, index % 3)
            self.temperatures.append(slider)
        self._show_homes(state.homes.get())
        self._show_temperatures(state.temperatures.get())

    def _home(self, index: int) -> None:
        self._state.end_move()
        self._state.set_temperature(index, self._state.homes.get()[index])
        self._state.end_move()

    def _show_homes(self, homes: tuple[float, ...]) -> None:
        for slider, home in zip(self.temperatures, homes, strict=False):
            slider.show_home(home)
        if homes:
            self.heat_home.say(f"{homes[0]:.2f} everywhere" if len(homes) > 1 else f"{homes[0]:.2f} again")
        self._show_temperatures(self._state.temperatures.get())

    def _show_temperatures(self, values: tuple[float, ...]) -> None:
        for slider, value in zip(self.temperatures, values, strict=False):
            slider.show_value(value)
        homes = self._state.homes.get()
        self.heat_home.setEnabled(any(abs(a - b) > 5e-4 for a, b in zip(values, homes, strict=False)))


class Bringing(Column):
    """While a picture is brought in: how it is cut, and what the model will see of it."""

    def __init__(self, look: Look, state: Explore) -> None:
        super().__init__(look)
        self._state = state
        self.how = Segments(look, "How to cut", _CROPS, help="Cut a frame out of it, squeeze it, or add margins")
        self.name = Elided("", "name")
        self.seen = PictureView(look, "What the model will see")
        self.note = Label("Drag the frame to choose the part; drag its corner to size it.", "note", wrap=True)
        self.section("Bring in a picture", first=True)
        self.add(self.name, self.how, self.note)
        self.section("As the model will see it")
        self.add(self.seen)
        self.end()
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bind(self, state.photo, self._show_photo, self.how.chosen, state.set_crop)

    def _show_photo(self, photo: Any) -> None:
        if photo is not None:
            self.name.show_text(photo.picture.name)
            self.how.show_choice(photo.how)
            self.note.setVisible(photo.how == "crop")
            self.seen.setFixedHeight(self._look.px(224))
            self.seen.show_picture(photo.seen)


class ExploreFoot(QStackedWidget):
    """Export and Keep take; while a picture is brought in, Cancel and Use this."""

    def __init__(self, look: Look, state: Window, stage: ExploreStage, dialogs: Dialogs) -> None:
        super().__init__()
        self._state, self._dialogs = state.explore, dialogs
        explore = self._state
        self.export = Button(look, "Export…", help="Save this picture with its recipe inside", keys="Ctrl+E")
        self.keep = Button(look, "Keep take", "primary", help="Keep what is on the stage as a take", keys="Ctrl+Return")
        self.cancel = Button(look, "Cancel", help="Leave it; the stage stays as it was", keys="Esc")
        self.use = Button(look, "Use this", "primary", help="Start from this picture", keys="Ctrl+Return")
        self.addWidget(_pair(self.export, self.keep))
        self.addWidget(_pair(self.cancel, self.use))
        self.export.clicked.connect(self.ask)
        self.keep.clicked.connect(explore.keep_take)
        self.cancel.clicked.connect(stage.close_photo)
        self.use.clicked.connect(explore.use_photo)
        bind(self, explore.photo, self._show_photo)
        bind(self, explore.picture, self._show_picture)
        bind(self, explore.busy, self._show_busy)
        bind(self, state.status, self._show_busy)

    def ask(self) -> None:
        if self._state.picture.get() is not None:
            self._dialogs.save(self._state.name_of(), self._state.export)

    def act(self) -> None:
        """The main action of this moment."""
        if self._state.photo.get() is not None:
            self._state.use_photo()
        else:
            self._state.keep_take()

    def _show_photo(self, photo: Any) -> None:
        self.setCurrentIndex(1 if photo is not None else 0)

    def _show_picture(self, picture: Array | None) -> None:
        self.export.setEnabled(picture is not None)
        self.keep.setEnabled(picture is not None)

    def _show_busy(self, _: object) -> None:
        busy = self._state.busy.get()
        self.use.setEnabled(not busy)
        self.use.say("Looking" if busy else "Use this")


_OPEN_HELP = "Bring in a picture, crop it, and start from it"


def _headed(words: str, button: QWidget) -> QWidget:
    return row(Label(words, "heading"), 0, button)


def _pair(second: QWidget, main: QWidget) -> QWidget:
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(16)
    line.addWidget(second, 1)
    line.addWidget(main, 1)
    return box


class ExploreInspector(QStackedWidget):
    """Sliders; while a picture is brought in, how it is cut."""

    def __init__(self, look: Look, state: Explore, stage: ExploreStage) -> None:
        super().__init__()
        self.directions = Directions(look, state, stage)
        self.bringing = Bringing(look, state)
        self.addWidget(self.directions)
        self.addWidget(self.bringing)
        bind(self, state.photo, self._show_photo)

    def _show_photo(self, photo: Any) -> None:
        self.setCurrentIndex(1 if photo is not None else 0)


def panel(look: Look, state: Window, dialogs: Dialogs) -> Panel:
    """Explore, ready for the frame."""
    explore = state.explore
    stage = ExploreStage(look, state, dialogs)
    foot = ExploreFoot(look, state, stage, dialogs)
    acts = (
        Act("Keep take", ("Ctrl+Return", "Ctrl+Enter"), foot.act),
        Act("Export…", ("Ctrl+E",), foot.ask),
        Act("New start", ("R",), explore.new_start, "stage"),
        Act("Lock seed", ("L",), lambda: explore.lock(not explore.locked.get()), "stage"),
        Act("All home", ("H",), explore.home_all, "stage"),
    )
    return Panel(
        key="explore",
        title="Explore",
        drawing="explore",
        help="Move one picture along the model's directions",
        stage=stage,
        inspector=ExploreInspector(look, explore, stage),
        foot=foot,
        model=explore.model,
        choose_model=explore.choose_model,
        history=explore.history,
        keep=explore.keep_take,
        acts=tuple(replace(act, panel="explore") for act in acts),
        close=stage.close_photo,
        zoom=stage.page.view.zoom,
        show_smooth=stage.page.view.show_smooth,
        set_compact=stage.set_compact,
    )
